"""Which pods a quota is for. A quota with scopes counts pods only, and of them those that are in all its scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fairway.kernel.objects.kinds import Object

PRIORITY_CLASS = "PriorityClass"


@dataclass(frozen=True, slots=True)
class Scope:
    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def holds(self, pod: Object) -> bool:
        spec = pod.get("spec") or {}
        if self.name == PRIORITY_CLASS:
            return self._of_class(str(spec.get("priorityClassName") or ""))
        is_in = _SCOPES.get(self.name)
        return is_in is not None and is_in(spec)

    def _of_class(self, given: str) -> bool:
        match self.operator:
            case "Exists":
                return bool(given)
            case "DoesNotExist":
                return not given
            case "In":
                return given in self.values and bool(given)
        return given not in self.values


def of(spec: Object) -> tuple[Scope, ...]:
    """The scopes of a quota's spec."""
    chosen = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return (
        *(Scope(name) for name in spec.get("scopes") or ()),
        *(Scope(each["scopeName"], each["operator"], tuple(each.get("values") or ())) for each in chosen),
    )


def _ends(spec: Object) -> bool:
    return spec.get("activeDeadlineSeconds") is not None


def _asks_for_nothing(spec: Object) -> bool:
    """Upstream's quality of service BestEffort."""
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()), spec):
        resources = container.get("resources") or {}
        for part in ("requests", "limits"):
            if any(name in ("cpu", "memory") for name in resources.get(part) or ()):
                return False
    return True


def _looks_into_other_namespaces(spec: Object) -> bool:
    affinity = spec.get("affinity") or {}
    for word in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(word) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [each.get("podAffinityTerm") or {} for each in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


_SCOPES: Mapping[str, Callable[[Object], bool]] = {
    "Terminating": _ends,
    "NotTerminating": lambda spec: not _ends(spec),
    "BestEffort": _asks_for_nothing,
    "NotBestEffort": lambda spec: not _asks_for_nothing(spec),
    "CrossNamespacePodAffinity": _looks_into_other_namespaces,
}
NAMES = (*_SCOPES, PRIORITY_CLASS)
