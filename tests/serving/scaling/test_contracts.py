"""What is agreed about a Deployment's scaling stands on it, where whoever may write Deployments may write, too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairway.kernel.objects.kinds import DEPLOYMENT, SERVICE, Object
from fairway.serving.scaling import contract as contracts
from fairway.serving.scaling import proxying
from fairway.serving.scaling.contract import ANNOTATION, Contract, Wishes

ASKED = {
    "autoscaling.knative.dev/window": "1h",
    "autoscaling.knative.dev/panic-window-percentage": "100",
    "autoscaling.knative.dev/scale-down-delay": "1h",
    "autoscaling.knative.dev/target-burst-capacity": "-1",
    "autoscaling.knative.dev/metric-aggregation-algorithm": "weighted-exponential",
    "autoscaling.knative.dev/target": "1e9",
}


def deployment(text: str) -> Object:
    return DEPLOYMENT.new("iris-predictor", "default", metadata={"annotations": {ANNOTATION: text}}, spec={})


@pytest.mark.parametrize(
    ("wishes", "annotations"),
    [
        (Wishes(), {}),
        (Wishes(least=0, most=2**31, metric="rps", target=1), {}),
        (Wishes(least=1, most=5, limit=7, timeout=30), ASKED),
    ],
)
def test_what_was_written_is_read(wishes: Wishes, annotations: dict[str, str]) -> None:
    made = contracts.settle("iris-predictor", wishes, annotations, knative=False)
    assert contracts.read(deployment(contracts.write(made))) == made


def test_none_is_none_and_the_usual_is_the_usual() -> None:
    assert contracts.read(DEPLOYMENT.new("iris-predictor", "default", spec={})) is None
    assert contracts.read(deployment('{"scaler": "kpa"}')) == Contract(scaler="kpa")


@pytest.mark.parametrize(
    "odd",
    [
        {"least": "x"},
        {"least": True},
        {"least": None},
        {"limit": 1e300},
        {"limit": 2.5},
        {"most": 10**30},
        {"weighted": 1},
        {"panic_window": 1e300},
        {"panic_window": 0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"spec": 7},
        {"spec": {"stable_window": 1e300}},
        {"spec": {"stable_window": 0}},
        {"spec": {"scale_down_delay": 1e9}},
        {"spec": {"target": 0}},
        {"spec": {"down_rate": -1}},
        {"spec": {"more": 1}},
        {"more": 1},
        [],
        [1],
        "kpa",
        7,
    ],
)
def test_what_is_no_contract_is_none_and_reaches_no_arithmetic(odd: Any) -> None:
    text = json.dumps({"scaler": "kpa", **odd} if isinstance(odd, dict) else odd)
    assert contracts.read(deployment(text)) is None


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"scaler": }'])
def test_what_is_no_json_is_none(text: str) -> None:
    assert contracts.read(deployment(text)) is None


@pytest.mark.parametrize(
    ("selector", "is_its"),
    [
        ({"app": "isvc.iris"}, True),
        ({"app": "isvc.iris", proxying.HIDDEN: "true"}, True),
        ({"app": "payments"}, False),
        ({"app": "isvc.iris", "tier": "gold"}, False),
        ({proxying.HIDDEN: "true"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_service_of_other_pods_is_not_turned_to_these(selector: dict[str, str] | None, is_its: bool) -> None:
    template = {"metadata": {"labels": {"app": "isvc.iris", "component": "predictor"}}}
    pods = DEPLOYMENT.new("iris-predictor", "default", spec={"template": template})
    service = SERVICE.new("payments", "default", spec={"selector": selector} if selector is not None else {})
    assert proxying.stands_for(service, pods) is is_its
