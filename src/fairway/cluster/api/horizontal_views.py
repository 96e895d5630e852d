"""HorizontalPodAutoscaler in its older version: one target for the CPU, and everything else in annotations. Pure.

The annotations are upstream's, so that nothing is lost when an object goes through the older version and back.
"""

from __future__ import annotations

from typing import Any

import orjson

from fairway.kernel.objects.kinds import Object

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"


def to_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    others = []
    for metric in spec.pop("metrics", None) or ():
        percent = _cpu_percent(metric, "target")
        if percent is not None and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = percent
        else:
            others.append(metric)
    current = status.pop("currentMetrics", None) or ()
    percent = next((one for metric in current if (one := _cpu_percent(metric, "current")) is not None), None)
    if percent is not None:
        status["currentCPUUtilizationPercentage"] = percent
    kept = ((_METRICS, others), (_BEHAVIOR, spec.pop("behavior", None)), (_CONDITIONS, status.pop("conditions", None)))
    annotations |= {name: orjson.dumps(value).decode() for name, value in (*kept, (_CURRENT, current)) if value}
    status.setdefault("currentReplicas", 0)  # which the newer version leaves out
    return _made(obj, "autoscaling/v1", annotations, spec, status)


def to_v2(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    metrics = []
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    metrics += _taken(annotations, _METRICS) or []
    if metrics:
        spec["metrics"] = metrics
    if behavior := _taken(annotations, _BEHAVIOR):
        spec["behavior"] = behavior
    status.pop("currentCPUUtilizationPercentage", None)
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    for name, annotation in (("currentMetrics", _CURRENT), ("conditions", _CONDITIONS)):
        if value := _taken(annotations, annotation):
            status[name] = value
    return _made(obj, "autoscaling/v2", annotations, spec, status)


def _made(obj: Object, api_version: str, annotations: dict[str, str], spec: Object, status: Object) -> Object:
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    made = {**obj, "apiVersion": api_version, "kind": "HorizontalPodAutoscaler", "metadata": metadata}
    parts = {"spec": spec, "status": status}
    return {**made, **{name: part for name, part in parts.items() if name in obj}}


def _cpu_percent(metric: Object, part: str) -> int | None:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    found = (resource.get(part) or {}).get("averageUtilization")
    return None if found is None else int(found)


def _taken(annotations: dict[str, str], name: str) -> Any:
    text = annotations.pop(name, "")
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
