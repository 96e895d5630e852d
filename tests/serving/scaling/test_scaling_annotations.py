"""Knative's annotations: what is understood, and what is refused with a sentence. The bounds are Knative's."""

from __future__ import annotations

import pytest

from fairway.serving.scaling import asked
from fairway.serving.scaling.asked import PREFIX, Asked, NotUnderstood


def _read(**words: str) -> Asked:
    return asked.read({PREFIX + name.replace("_", "-"): value for name, value in words.items()})


def test_nothing_is_asked_for() -> None:
    assert asked.read({"serving.kserve.io/deploymentMode": "Standard"}) == Asked()


def test_everything_is_asked_for() -> None:
    found = asked.read(
        {
            f"{PREFIX}class": "kpa.autoscaling.knative.dev",
            f"{PREFIX}metric": "rps",
            f"{PREFIX}target": "12.5",
            f"{PREFIX}target-utilization-percentage": "80",
            f"{PREFIX}min-scale": "1",
            f"{PREFIX}max-scale": "9",
            f"{PREFIX}initial-scale": "2",
            f"{PREFIX}activation-scale": "3",
            f"{PREFIX}window": "1m30s",
            f"{PREFIX}panic-window-percentage": "20",
            f"{PREFIX}panic-threshold-percentage": "150.5",
            f"{PREFIX}target-burst-capacity": "-1",
            f"{PREFIX}scale-down-delay": "15m",
            f"{PREFIX}scale-to-zero-pod-retention-period": "1m5s",
            f"{PREFIX}metric-aggregation-algorithm": "weighted-exponential",
        }
    )
    assert found == Asked("kpa", "rps", 12.5, 0.8, 1, 9, 2, 3, 90, 0.2, 1.505, -1, 900, 65, True)


def test_older_spellings_are_understood() -> None:
    assert asked.read({f"{PREFIX}minScale": "2", f"{PREFIX}targetBurstCapacity": "0"}) == Asked(least=2, burst=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class", "none.autoscaling.knative.dev"),
        ("metric", "latency"),
        ("target", "0.001"),
        ("target", "many"),
        ("target", "nan"),
        ("target_utilization_percentage", "0"),
        ("target_utilization_percentage", "101"),
        ("min_scale", "-1"),
        ("min_scale", "1.5"),
        ("max_scale", "9999999999"),
        ("activation_scale", "1"),
        ("window", "5s"),
        ("window", "1h1s"),
        ("window", "6500ms"),
        ("window", "60"),
        ("panic_window_percentage", "0.5"),
        ("panic_threshold_percentage", "109"),
        ("panic_threshold_percentage", "1001"),
        ("target_burst_capacity", "-2"),
        ("scale_down_delay", "-1s"),
        ("scale_down_delay", "1500ms"),
        ("scale_to_zero_pod_retention_period", "2h"),
        ("metric_aggregation_algorithm", "median"),
        ("elasticity", "7"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        _read(**{name: value})
    (sentence,) = refused.value.sentences
    assert name.replace("_", "-") in sentence


@pytest.mark.parametrize(
    "words",
    [
        {"min_scale": "3", "max_scale": "2"},
        {"min_scale": "3", "activation_scale": "2"},
        {"max_scale": "3", "activation_scale": "4"},
        {"metric": "cpu", "class": "kpa.autoscaling.knative.dev"},
        {"metric": "rps", "class": "hpa.autoscaling.knative.dev"},
    ],
    ids=" ".join,
)
def test_what_contradicts_itself_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(NotUnderstood):
        _read(**words)


def test_no_upper_bound_is_zero() -> None:
    assert _read(min_scale="3", max_scale="0") == Asked(least=3, most=0)
