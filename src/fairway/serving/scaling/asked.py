"""What Knative's annotations ask of the autoscaler, read and checked. Pure.

They stand on the InferenceService or on a component. Each number has Knative's own bounds, and what does not fit
is a sentence that says what would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "autoscaling.knative.dev/"
KPA, HPA = "kpa.autoscaling.knative.dev", "hpa.autoscaling.knative.dev"
CONCURRENCY, RPS, CPU, MEMORY = "concurrency", "rps", "cpu", "memory"

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_DURATION = re.compile(r"0|(\d+(\.\d+)?(ms|h|m|s))+")
_OLD_SPELLINGS = {
    "minScale": "min-scale",
    "maxScale": "max-scale",
    "initialScale": "initial-scale",
    "scaleDownDelay": "scale-down-delay",
    "scaleToZeroPodRetentionPeriod": "scale-to-zero-pod-retention-period",
    "targetUtilizationPercentage": "target-utilization-percentage",
    "targetBurstCapacity": "target-burst-capacity",
    "panicWindowPercentage": "panic-window-percentage",
    "panicThresholdPercentage": "panic-threshold-percentage",
    "metricAggregationAlgorithm": "metric-aggregation-algorithm",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """None where nothing is said, so that the fields of the component and the defaults count."""

    scaler: str | None = None
    """kpa or hpa."""
    metric: str | None = None
    target: float | None = None
    share: float | None = None
    least: int | None = None
    most: int | None = None
    initial: int | None = None
    activation: int | None = None
    window: float | None = None
    panic_window: float | None = None
    """As a share of the window."""
    panic_threshold: float | None = None
    burst: float | None = None
    scale_down_delay: float | None = None
    retention: float | None = None
    weighted: bool = False


class NotUnderstood(Exception):
    """`sentences` say what is wrong, one each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


def read(annotations: Mapping[str, str]) -> Asked:
    """Raises NotUnderstood. The older spellings of names are understood."""
    found: dict[str, Any] = {}
    sentences: list[str] = []
    for key, text in sorted(annotations.items()):
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX)
        reader = _READERS.get(_OLD_SPELLINGS.get(name, name))
        if reader is None:
            sentences.append(f"The annotation {key} is not known; remove it.")
            continue
        field, value_of, wanted = reader
        try:
            found[field] = value_of(text)
        except ValueError:
            sentences.append(f"The annotation {key}: {text} is not supported; use {wanted}.")
    asked = Asked(**found)
    sentences += _contradictions(asked)
    if sentences:
        raise NotUnderstood(sentences)
    return asked


def seconds(text: str) -> float:
    """A duration as Go writes it. Raises ValueError.

    >>> seconds("1m30s"), seconds("0")
    (90.0, 0.0)
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(text)
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _contradictions(asked: Asked) -> Iterator[str]:
    least, most, first = asked.least or 0, asked.most or 0, asked.activation
    if most and most < least:
        yield f"The annotation max-scale ({most}) is below min-scale ({least}); raise it, or set it to 0 for no bound."
    if first is not None and (first < least or (most and first > most)):
        yield f"The annotation activation-scale ({first}) must lie between min-scale and max-scale."
    if asked.metric in (CPU, MEMORY) and asked.scaler == "kpa":
        yield f"The annotation metric: {asked.metric} needs class {HPA}."
    if asked.metric in (CONCURRENCY, RPS) and asked.scaler == "hpa":
        yield f"The annotation metric: {asked.metric} needs class {KPA}."


def _between(least: float, most: float) -> Callable[[str], float]:
    def value(text: str) -> float:
        number = float(text)
        if not least <= number <= most:
            raise ValueError(text)
        return number

    return value


def _percent(least: float, most: float) -> Callable[[str], float]:
    within = _between(least, most)
    return lambda text: within(text) / 100


def _count(least: int) -> Callable[[str], int]:
    def value(text: str) -> int:
        number = int(text)
        if not least <= number < 2**31:
            raise ValueError(text)
        return number

    return value


def _lasting(least: float, *, whole: bool = True) -> Callable[[str], float]:
    def value(text: str) -> float:
        duration = seconds(text)
        if not least <= duration <= 3600 or (whole and duration != int(duration)):
            raise ValueError(text)
        return duration

    return value


def _burst(text: str) -> float:
    number = float(text)
    if number != -1 and not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def _one_of(**words: Any) -> Callable[[str], Any]:
    def value(text: str) -> Any:
        if text not in words:
            raise ValueError(text)
        return words[text]

    return value


_METRICS = _one_of(**{word: word for word in (CONCURRENCY, RPS, CPU, MEMORY)})
_HOUR = "whole seconds of at most an hour, such as 30s or 5m"
_READERS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "class": ("scaler", _one_of(**{KPA: "kpa", HPA: "hpa"}), f"{KPA} or {HPA}"),
    "metric": ("metric", _METRICS, "concurrency, rps, cpu or memory"),
    "target": ("target", _between(0.01, 1e9), "a number of at least 0.01"),
    "target-utilization-percentage": ("share", _percent(1, 100), "a number from 1 to 100"),
    "min-scale": ("least", _count(0), "a whole number of at least 0"),
    "max-scale": ("most", _count(0), "a whole number of at least 0, where 0 is no bound"),
    "initial-scale": ("initial", _count(0), "a whole number of at least 0"),
    "activation-scale": ("activation", _count(2), "a whole number of at least 2"),
    "window": ("window", _lasting(6), "whole seconds from 6s to 1h"),
    "panic-window-percentage": ("panic_window", _percent(1, 100), "a number from 1 to 100"),
    "panic-threshold-percentage": ("panic_threshold", _percent(110, 1000), "a number from 110 to 1000"),
    "target-burst-capacity": ("burst", _burst, "a number of at least 0, or -1 for no bound"),
    "scale-down-delay": ("scale_down_delay", _lasting(0), _HOUR),
    "scale-to-zero-pod-retention-period": ("retention", _lasting(0, whole=False), "a duration of at most an hour"),
    "metric-aggregation-algorithm": (
        "weighted",
        _one_of(linear=False, weightedExponential=True, **{"weighted-exponential": True}),
        "linear or weighted-exponential",
    ),
}
