"""One ResourceQuota, read once: what it limits, for which objects, and what an object is charged for under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from fairway.cluster.quotas import scopes, usage
from fairway.cluster.quotas.scopes import Scope
from fairway.cluster.quotas.usage import Amounts
from fairway.kernel.objects import meta, pod_totals
from fairway.kernel.objects.kinds import Object

_MUST_BE_SAID = frozenset(
    (
        *("cpu", "memory"),
        *(f"{part}.{name}" for part in ("requests", "limits") for name in ("cpu", "memory")),
    )
)
"""A pod under a quota of these has to say how much it wants, container by container; upstream regrets it."""


@dataclass(frozen=True)
class Rules:
    name: str
    hard: Amounts
    scopes: tuple[Scope, ...]
    by_resource: Mapping[str, tuple[str, ...]]
    """The limited names that objects of a resource use."""

    def fits(self, resource: str, obj: Object) -> bool:
        """Whether the quota is for the object."""
        if resource not in self.by_resource:
            return False
        return not self.scopes or (resource == "pods" and all(scope.holds(obj) for scope in self.scopes))

    def charge(self, resource: str, obj: Object, used: Amounts) -> Amounts:
        """Of what the object uses, what this quota limits; nothing where the quota is not for it."""
        if not self.fits(resource, obj):
            return {}
        return {name: used[name] for name in self.by_resource[resource] if name in used}

    def unsaid(self, pod: Object) -> Mapping[str, list[str]]:
        """What containers of the pod must say and do not: resource name to the names of containers."""
        missing: dict[str, list[str]] = {}
        spec = pod.get("spec") or {}
        for name in sorted(_MUST_BE_SAID.intersection(self.by_resource.get("pods", ()))):
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                if name not in usage.of_container(container):
                    missing.setdefault(name, []).append(str(container.get("name")))
        return missing


def read(quota: Object) -> Rules:
    spec = quota.get("spec") or {}
    hard = pod_totals.quantities_of(spec.get("hard"))
    by_resource: dict[str, list[str]] = {}
    for name in sorted(hard):
        if resource := usage.resource_of(name):
            by_resource.setdefault(resource, []).append(name)
    return Rules(
        meta.name(quota), hard, scopes.of(spec), {resource: tuple(names) for resource, names in by_resource.items()}
    )


def nothing(rules: Rules) -> dict[str, Decimal]:
    """What is used before anything is: zero of all that the quota limits."""
    return dict.fromkeys(rules.hard, Decimal(0))
