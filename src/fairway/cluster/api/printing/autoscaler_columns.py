"""The columns of a HorizontalPodAutoscaler: for each metric what it is now, and what it should be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.cluster.api import horizontal_views
from fairway.cluster.api.printing.columns import AGE, NAME, NONE, Column, at, number, value
from fairway.kernel.objects.kinds import Object

_SHOWN = 2
_UNKNOWN = "<unknown>"
_VALUES = ("averageValue", "value")


def _reference(obj: Object, now: float) -> str:
    return f"{value(obj, 'spec.scaleTargetRef.kind')}/{value(obj, 'spec.scaleTargetRef.name')}"


def _minimum(obj: Object, now: float) -> str:
    found = value(obj, "spec.minReplicas")
    return "<unset>" if found is None else str(found)


def _targets(obj: Object, now: float) -> str:
    found = list(_metrics(horizontal_views.to_v2(obj) if obj.get("apiVersion") == "autoscaling/v1" else obj))
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" + {more} more..." if more > 0 else "") or NONE


def _metrics(obj: Object) -> Iterator[str]:
    current = value(obj, "status.currentMetrics") or []
    for index, metric in enumerate(value(obj, "spec.metrics") or ()):
        key = _key(metric)
        target = (metric.get(key) or {}).get("target") or {}
        seen = ((current[index].get(key) if index < len(current) else None) or {}).get("current") or {}
        # Upstream names only what is measured of the pods themselves.
        name = f"{metric[key].get('name')}: " if key in ("resource", "containerResource") else ""
        yield f"{name}{_compared(seen, target)}"


def _key(metric: Object) -> str:
    kind = str(metric.get("type") or "")
    return kind[:1].lower() + kind[1:]


def _compared(seen: Object, target: Object) -> str:
    if target.get("averageUtilization") is not None:
        percent = seen.get("averageUtilization")
        return f"{_UNKNOWN if percent is None else f'{percent}%'}/{target['averageUtilization']}%"
    wanted = next((field for field in _VALUES if target.get(field) is not None), "value")
    average = " (avg)" if wanted == "averageValue" else ""
    shown: Any = seen.get(wanted)
    return f"{_UNKNOWN if shown is None else shown}/{target.get(wanted, '<auto>')}{average}"


COLUMNS = (
    NAME,
    Column("Reference", _reference),
    Column("Targets", _targets),
    Column("MinPods", _minimum),
    Column("MaxPods", at("spec.maxReplicas")),
    Column("Replicas", number("status.currentReplicas"), type="integer"),
    AGE,
)
