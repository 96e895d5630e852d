"""How many pods a component is to have, read from its fields and the service's annotations. Pure.

What comes of it is a contract, which the autoscaler keeps (see `scaling`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import Scaling
from fairway.serving.scaling import contract as contracts
from fairway.serving.scaling.asked import NotUnderstood
from fairway.serving.scaling.contract import Contract, Wishes
from fairway.serving.spec import defaults

_CLASS = "serving.kserve.io/autoscalerClass"
_METRIC, _PERCENT = "serving.kserve.io/metrics", "serving.kserve.io/targetUtilizationPercentage"
"""KServe's older way to say scaleMetric and scaleTarget."""
_KNATIVE = ("autoscaling.knative.dev/", "serving.knative.dev/")


def read(isvc: Object, part: Object) -> Scaling:
    least = part.get("minReplicas")
    said = {**meta.annotations(isvc), **(part.get("annotations") or {})}
    return Scaling(
        least=1 if least is None else least,
        most=part.get("maxReplicas") or 0,
        kind=said.get(_CLASS, ""),
        metric=part.get("scaleMetric") or said.get(_METRIC, ""),
        target=part.get("scaleTarget") or _percent(said.get(_PERCENT, "")),
        auto=part.get("autoScaling") or {},
        annotations={key: value for key, value in said.items() if key.startswith(_KNATIVE)},
    )


def _percent(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


def contract(isvc: Object, part: Object, name: str) -> Contract:
    """`name` is that of the component's Service. Raises NotUnderstood."""
    asked = read(isvc, part)
    wishes = Wishes(
        least=part.get("minReplicas"),
        most=asked.most or None,
        metric=asked.metric,
        target=asked.target,
        by_metrics=bool(asked.auto.get("metrics")),
        limit=part.get("containerConcurrency") or 0,
        timeout=float(part.get("timeout") or contracts.TIMEOUT),
    )
    annotations = {**asked.annotations, **({contracts.CLASS: asked.kind} if asked.kind else {})}
    return contracts.settle(name, wishes, annotations, knative=defaults.mode(isvc) == "Knative")


def mistakes(isvc: Object, part: Object) -> Iterator[str]:
    percent = meta.annotations(isvc).get(_PERCENT)
    if percent is not None and not 1 <= (_percent(percent) or 0) <= 100:
        yield f"The annotation {_PERCENT}: {percent} is not supported; use a whole number from 1 to 100."
    if (kind := part.get("scaleMetricType")) not in (None, "Utilization"):
        yield f"scaleMetricType {kind} is not supported: leave it out; of cpu and memory scaleTarget is a percentage."
    try:
        contract(isvc, part, "")
    except NotUnderstood as refused:
        yield from refused.sentences
    for number, metric in enumerate((part.get("autoScaling") or {}).get("metrics") or ()):
        if metric.get("type") != "Resource":
            how = "use type Resource, or scaleMetric concurrency or rps"
            yield f"autoScaling.metrics[{number}] of type {metric.get('type')} is not supported; {how}."
