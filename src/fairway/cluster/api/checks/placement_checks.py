"""What is wrong with what says where a pod may be: affinity, spread, tolerations.

The scheduler reads these of every pod that waits, and of every pod beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api.checks import causes, selector_checks
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def problems(spec: Object, path: str) -> Iterator[Cause]:
    affinity = spec.get("affinity") or {}
    yield from _of_nodes(affinity.get("nodeAffinity") or {}, f"{path}.affinity.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _of_pods(affinity.get(kind) or {}, f"{path}.affinity.{kind}")
    for index, constraint in causes.items(spec, "topologySpreadConstraints"):
        yield from _spread(constraint, f"{path}.topologySpreadConstraints[{index}]")
    for index, toleration in causes.items(spec, "tolerations"):
        yield from _toleration(toleration, f"{path}.tolerations[{index}]")


def _of_nodes(affinity: Object, path: str) -> Iterator[Cause]:
    yield from selector_checks.of_nodes(affinity.get(_REQUIRED), f"{path}.{_REQUIRED}")
    for index, wish in causes.items(affinity, _PREFERRED):
        at = f"{path}.{_PREFERRED}[{index}]"
        yield from _weight(wish, at)
        yield from selector_checks.node_term(wish.get("preference") or {}, f"{at}.preference")


def _of_pods(affinity: Object, path: str) -> Iterator[Cause]:
    for index, term in causes.items(affinity, _REQUIRED):
        yield from _pod_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, wish in causes.items(affinity, _PREFERRED):
        at = f"{path}.{_PREFERRED}[{index}]"
        yield from _weight(wish, at)
        yield from _pod_term(wish.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")


def _pod_term(term: Object, path: str) -> Iterator[Cause]:
    for field in ("labelSelector", "namespaceSelector"):
        yield from selector_checks.of_labels(term.get(field), f"{path}.{field}")
    if not term.get("topologyKey"):
        yield causes.required(f"{path}.topologyKey", "can not be empty")


def _spread(constraint: Object, path: str) -> Iterator[Cause]:
    if int(constraint.get("maxSkew") or 0) <= 0:
        yield causes.invalid(f"{path}.maxSkew", constraint.get("maxSkew"), "must be greater than zero")
    if not constraint.get("topologyKey"):
        yield causes.required(f"{path}.topologyKey", "can not be empty")
    if constraint.get("whenUnsatisfiable") not in ("DoNotSchedule", "ScheduleAnyway"):
        action = constraint.get("whenUnsatisfiable")
        yield causes.unsupported(f"{path}.whenUnsatisfiable", action, "DoNotSchedule", "ScheduleAnyway")
    yield from selector_checks.of_labels(constraint.get("labelSelector"), f"{path}.labelSelector")


def _toleration(toleration: Object, path: str) -> Iterator[Cause]:
    key, operator, effect = toleration.get("key"), toleration.get("operator"), toleration.get("effect")
    if operator not in (None, "", "Equal", "Exists"):
        yield causes.unsupported(f"{path}.operator", operator, "Equal", "Exists")
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield causes.invalid(f"{path}.operator", operator, text)
    if operator == "Exists" and toleration.get("value"):
        yield causes.invalid(f"{path}.operator", toleration, "value must be empty when `operator` is 'Exists'")
    if effect and effect not in _EFFECTS:
        yield causes.unsupported(f"{path}.effect", effect, *_EFFECTS)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield causes.invalid(f"{path}.effect", effect, text)


def _weight(wish: Object, path: str) -> Iterator[Cause]:
    if not 1 <= int(wish.get("weight") or 0) <= 100:
        yield causes.invalid(f"{path}.weight", wish.get("weight"), "must be in the range 1-100")
