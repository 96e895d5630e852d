"""HorizontalPodAutoscalers: bounds, and what each of their metrics must say, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fairway.cluster.api.checks import causes
from fairway.kernel.objects import errors, quantities
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_CHOICES, _POLICIES = ("Disabled", "Max", "Min"), ("Percent", "Pods")
_TARGETS = ("Utilization", "Value", "AverageValue")
_EITHER = {
    "External": "must set either a target value for metric or a per-pod target",
    "Object": "must set either a target value or averageValue",
}


def problems(scaler: Object) -> Iterator[Cause]:
    spec = scaler["spec"]
    least, most = spec.get("minReplicas"), int(spec.get("maxReplicas") or 0)
    if least is not None and int(least) < 1:
        yield causes.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield causes.invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < int(least):
        yield causes.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    for index, metric in causes.items(spec, "metrics"):
        yield from _metric(metric, f"spec.metrics[{index}]")
    for field in ("scaleUp", "scaleDown"):
        if rules := (spec.get("behavior") or {}).get(field):
            yield from _rules(rules, f"spec.behavior.{field}")


def _rules(rules: Object, at: str) -> Iterator[Cause]:
    window, tolerance = rules.get("stabilizationWindowSeconds"), rules.get("tolerance")
    if window is not None and int(window) < 0:
        yield causes.invalid(f"{at}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and int(window) > _LONGEST_WINDOW:
        text = f"must be less than or equal to {_LONGEST_WINDOW}"
        yield causes.invalid(f"{at}.stabilizationWindowSeconds", window, text)
    if rules.get("selectPolicy") not in (None, *_CHOICES):
        yield causes.unsupported(f"{at}.selectPolicy", rules["selectPolicy"], *_CHOICES)
    if tolerance is not None and quantities.parse(tolerance) < 0:
        yield causes.invalid(f"{at}.tolerance", tolerance, "must be greater than or equal to zero")
    policies = causes.items(rules, "policies")
    if rules.get("policies") is not None and not policies:
        yield causes.required(f"{at}.policies", "must specify at least one Policy")
    for index, policy in policies:
        yield from _policy(policy, f"{at}.policies[{index}]")


def _policy(policy: Object, at: str) -> Iterator[Cause]:
    if policy.get("type") not in _POLICIES:
        yield causes.unsupported(f"{at}.type", policy.get("type"), *_POLICIES)
    for field in ("value", "periodSeconds"):
        if int(policy.get(field) or 0) <= 0:
            yield causes.invalid(f"{at}.{field}", policy.get(field), "must be greater than zero")
    if int(policy.get("periodSeconds") or 0) > _LONGEST_PERIOD:
        text = f"must be less than or equal to {_LONGEST_PERIOD}"
        yield causes.invalid(f"{at}.periodSeconds", policy["periodSeconds"], text)


def _metric(metric: Object, at: str) -> Iterator[Cause]:
    kind = metric.get("type") or ""
    if kind not in _SOURCES:
        yield causes.unsupported(f"{at}.type", kind, *_SOURCES)
        return
    own = _SOURCES[kind]
    for source in _SOURCES.values():
        if source != own and metric.get(source) is not None:
            yield causes.forbidden(f"{at}.{source}", "must populate the given metric source only")
    if metric.get(own) is None:
        yield causes.required(f"{at}.{own}", "must populate information for the given metric source")
        return
    yield from _source(kind, metric[own], f"{at}.{own}")


def _source(kind: str, source: Object, at: str) -> Iterator[Cause]:
    target = source.get("target") or {}
    yield from _target(target, f"{at}.target")
    value, average = target.get("value"), target.get("averageValue")
    if kind in _EITHER:
        if value is None and average is None:
            yield causes.required(f"{at}.target.averageValue", _EITHER[kind])
        elif kind == "External" and value is not None and average is not None:
            text = "may not set both a target value for metric and a per-pod target"
            yield causes.forbidden(f"{at}.target.value", text)
    elif kind == "Pods" and average is None:
        yield causes.required(f"{at}.target.averageValue", "must specify a positive target averageValue")
    if kind in ("External", "Object", "Pods") and not (source.get("metric") or {}).get("name"):
        yield causes.required(f"{at}.metric.name", "must specify a metric name")
    for field in ("kind", "name") if kind == "Object" else ():
        if not (source.get("describedObject") or {}).get(field):
            yield causes.required(f"{at}.describedObject.{field}")


def _target(target: Object, at: str) -> Iterator[Cause]:
    if not target.get("type"):
        yield causes.required(f"{at}.type", "must specify a metric target type")
    elif target["type"] not in _TARGETS:
        text = "must be either Utilization, Value, or AverageValue"
        yield causes.invalid(f"{at}.type", target["type"], text)
    for field in ("value", "averageValue"):
        if target.get(field) is not None and not _positive(target[field]):
            yield causes.invalid(f"{at}.{field}", target[field], "must be positive")
    percent = target.get("averageUtilization")
    if percent is not None and int(percent) < 1:
        yield causes.invalid(f"{at}.averageUtilization", percent, "must be greater than 0")


def _positive(quantity: Any) -> bool:
    try:
        return quantities.parse(quantity) > Decimal(0)
    except errors.BadRequest:
        return True  # that it is no quantity is said elsewhere
