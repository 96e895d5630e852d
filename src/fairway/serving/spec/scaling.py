"""How many pods a component is to have, read from its fields and the service's annotations. Pure."""

from __future__ import annotations

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import Scaling

_CLASS = "serving.kserve.io/autoscalerClass"
_KNATIVE = ("autoscaling.knative.dev/", "serving.knative.dev/")


def read(isvc: Object, part: Object) -> Scaling:
    least = part.get("minReplicas")
    said = {**meta.annotations(isvc), **(part.get("annotations") or {})}
    return Scaling(
        least=1 if least is None else least,
        most=part.get("maxReplicas") or 0,
        kind=said.get(_CLASS, ""),
        metric=part.get("scaleMetric") or "",
        target=part.get("scaleTarget"),
        target_type=part.get("scaleMetricType") or "",
        auto=part.get("autoScaling") or {},
        annotations={key: value for key, value in said.items() if key.startswith(_KNATIVE)},
    )
