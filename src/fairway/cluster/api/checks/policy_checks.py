"""What is wrong with an object that rules others: priority and storage classes, quotas, limits,
disruption budgets.

`builtin_checks` lists these beside the checks of what is ruled. What needs a look at other objects is admission's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fairway.cluster.api.checks import causes, selector_checks
from fairway.cluster.quotas import scopes, usage
from fairway.kernel.objects import quantities
from fairway.kernel.objects.errors import BadRequest, Cause
from fairway.kernel.objects.kinds import Object

SYSTEM_PREFIX = "system-"
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The classes whose values are above all that users may set."""
HIGHEST_PRIORITY = 1_000_000_000
"""Of those that users may set."""


def priority_class(obj: Object) -> Iterator[Cause]:
    name, value = obj["metadata"]["name"], obj.get("value") or 0
    if name.startswith(SYSTEM_PREFIX):
        if why := _not_the_systems(name, value, bool(obj.get("globalDefault"))):
            text = f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {why}"
            yield causes.forbidden("metadata.name", text)
    elif value > HIGHEST_PRIORITY:
        yield causes.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}")
    if obj.get("preemptionPolicy") not in ("Never", "PreemptLowerPriority"):
        yield causes.unsupported("preemptionPolicy", obj.get("preemptionPolicy"), "Never", "PreemptLowerPriority")


def _not_the_systems(name: str, value: int, default: bool) -> str:
    wanted = SYSTEM_PRIORITIES.get(name)
    if wanted is None:
        return f"{name} is not a known system priority class"
    if value != wanted:
        return f"value of {name} PriorityClass must be {wanted}"
    return f"globalDefault of {name} PriorityClass must be false" if default else ""


def priority_class_change(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("value") != old.get("value"):
        yield causes.forbidden("value", "may not be changed in an update.")
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        yield causes.invalid("preemptionPolicy", new.get("preemptionPolicy"), causes.IMMUTABLE)


def quantity(path: str, value: object, *, whole: bool = False) -> Iterator[Cause]:
    """An amount that is limited: not negative, and whole where things are counted."""
    try:
        amount = quantities.parse(value if isinstance(value, (str, int, float)) else "")
    except BadRequest as problem:
        yield causes.invalid(path, value, problem.message)
        return
    if amount < 0:
        yield causes.invalid(path, str(value), "must be greater than or equal to 0")
    elif whole and amount != int(amount):
        yield causes.invalid(path, str(value), "must be an integer")


def resource_quota(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    for name, amount in (spec.get("hard") or {}).items():
        at = f"spec.hard[{name}]"
        if not usage.resource_of(name):
            yield causes.invalid(at, name, "must be a standard resource for quota")
        yield from quantity(at, amount, whole=_is_counted(name))
    yield from _scopes(spec)


def _is_counted(name: str) -> bool:
    """Things, and not a measure of something."""
    resource = usage.resource_of(name)
    return name.startswith("count/") or name.partition(".")[0] == resource or name.endswith(f"/{resource}")


def _scopes(spec: Object) -> Iterator[Cause]:
    chosen = scopes.of(spec)
    names = [scope.name for scope in chosen]
    for index, scope in enumerate(chosen):
        given = index - len(spec.get("scopes") or ())
        at = "spec.scopes" if given < 0 else f"spec.scopeSelector.matchExpressions[{given}]"
        if scope.name not in scopes.NAMES:
            yield causes.invalid(at if given < 0 else f"{at}.scopeName", scope.name, "unsupported scope")
        yield from _operator(scope, at)
    foreign = sorted(name for name in spec.get("hard") or {} if not _may_be_scoped(name, names))
    if names and foreign:
        yield causes.invalid("spec.scopes", names, f"unsupported scope applied to resource {foreign[0]}")
    for one, other in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if one in names and other in names:
            yield causes.invalid("spec.scopes", names, "conflicting scopes")


def _operator(scope: scopes.Scope, at: str) -> Iterator[Cause]:
    if scope.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield causes.invalid(f"{at}.operator", scope.operator, "not a valid selector operator")
    elif scope.name != scopes.PRIORITY_CLASS and scope.operator != "Exists":
        text = f"must be 'Exist' only operator when scope is {scope.name}"
        yield causes.invalid(f"{at}.operator", scope.operator, text)
    elif scope.operator in ("In", "NotIn") and not scope.values:
        text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        yield causes.required(f"{at}.values", text)
    elif scope.operator in ("Exists", "DoesNotExist") and scope.values:
        text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        yield causes.invalid(f"{at}.values", list(scope.values), text)


def _may_be_scoped(name: str, names: list[str]) -> bool:
    """Scopes are for pods; what asks for nothing can only be counted."""
    if "BestEffort" in names:
        return name in ("pods", "count/pods")
    return usage.resource_of(name) == "pods"


def resource_quota_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in ("scopes", "scopeSelector"):
        if before.get(field) != after.get(field):
            yield causes.invalid(f"spec.{field}", after.get(field), causes.IMMUTABLE)


_LIMITED = ("Container", "Pod", "PersistentVolumeClaim")
_AMOUNTS = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
_ORDER = (
    # What must not be greater than what, where the mistake is told, and upstream's words for both.
    ("min", "max", "min", "min value", "max value"),
    ("min", "defaultRequest", "defaultRequest", "min value", "default request value"),
    ("defaultRequest", "max", "defaultRequest", "default request value", "max value"),
    ("defaultRequest", "default", "defaultRequest", "default request value", "default limit value"),
    ("min", "default", "default", "min value", "default value"),
    ("default", "max", "default", "default value", "max value"),
)


def limit_range(obj: Object) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, limit in causes.items(obj.get("spec") or {}, "limits"):
        at, type_ = f"spec.limits[{index}]", str(limit.get("type") or "")
        if type_ not in _LIMITED:
            yield causes.unsupported(f"{at}.type", type_, *_LIMITED)
        elif type_ in seen:
            yield causes.duplicate(f"{at}.type", type_)
        seen.add(type_)
        yield from _limit(limit, at, type_)


def _limit(limit: Object, at: str, type_: str) -> Iterator[Cause]:
    wrong = [
        cause
        for field in _AMOUNTS
        for name, amount in (limit.get(field) or {}).items()
        for cause in quantity(f"{at}.{field}[{name}]", amount)
    ]
    yield from wrong
    if wrong:
        return
    for field in ("default", "defaultRequest"):
        if type_ == "Pod" and limit.get(field):
            yield causes.forbidden(f"{at}.{field}", "may not be specified when `type` is 'Pod'")
    if type_ == "PersistentVolumeClaim" and not any("storage" in (limit.get(field) or {}) for field in ("min", "max")):
        yield causes.required(at, "either minimum or maximum storage value is required, but neither was provided")
    for low, high, told, words, other in _ORDER:
        for name in sorted((limit.get(low) or {}).keys() & (limit.get(high) or {}).keys()):
            less, more = limit[low][name], limit[high][name]
            if quantities.parse(less) > quantities.parse(more):
                why = f"{words} {less} is greater than {other} {more}"
                yield causes.invalid(f"{at}.{told}[{name}]", str(limit[told][name]), why)
    for name, ratio in (limit.get("maxLimitRequestRatio") or {}).items():
        if quantities.parse(ratio) < 1:
            yield causes.invalid(f"{at}.maxLimitRequestRatio[{name}]", str(ratio), f"ratio {ratio} is less than 1")


_PERCENT = re.compile(r"[0-9]{1,9}%")


def disruption_budget(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield causes.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            yield from share(f"spec.{field}", spec[field])
    yield from selector_checks.of_labels(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy not in (None, "IfHealthyBudget", "AlwaysAllow"):
        yield causes.unsupported("spec.unhealthyPodEvictionPolicy", policy, "AlwaysAllow", "IfHealthyBudget")


def share(path: str, value: int | str, *, most: int | None = 100) -> Iterator[Cause]:
    """A number, or a share such as 25%, of at most that many percent."""
    if isinstance(value, int):
        if value < 0:
            yield causes.invalid(path, value, "must be greater than or equal to 0")
    elif not _PERCENT.fullmatch(value):
        text = (
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
            "used for validation is '[0-9]+%')"
        )
        yield causes.invalid(path, value, text)
    elif most is not None and int(value[:-1]) > most:
        yield causes.invalid(path, value, f"must not be greater than {most}%")


def storage_class(obj: Object) -> Iterator[Cause]:
    if not obj.get("provisioner"):
        yield causes.required("provisioner")
    if obj.get("reclaimPolicy") not in ("Delete", "Retain"):
        yield causes.unsupported("reclaimPolicy", obj.get("reclaimPolicy"), "Delete", "Retain")
    modes = ("Immediate", "WaitForFirstConsumer")
    if obj.get("volumeBindingMode") not in modes:
        yield causes.unsupported("volumeBindingMode", obj.get("volumeBindingMode"), *modes)


def storage_class_change(new: Object, old: Object) -> Iterator[Cause]:
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if (new.get(field) or None) != (old.get(field) or None):
            yield causes.forbidden(field, f"updates to {field} are forbidden.")
    if new.get("volumeBindingMode") != old.get("volumeBindingMode"):
        yield causes.invalid("volumeBindingMode", new.get("volumeBindingMode"), causes.IMMUTABLE)
