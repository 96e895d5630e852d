"""Which groups there are and which versions they have, of this server and of those behind it, in upstream's order.

A group stands where the highest of its versions puts it; versions of equal rank stand as Kubernetes orders their names,
in which v2 comes before v1 and both before v1beta1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairway.cluster.api.aggregation import priorities
from fairway.cluster.api.aggregation.priorities import Priority
from fairway.cluster.api.aggregation.shelf import Elsewhere
from fairway.cluster.api.aggregation.sources import Source
from fairway.cluster.api.registry import Served

Sources = Iterable[tuple[Elsewhere, Source]]


@dataclass(slots=True)
class Version:
    name: str
    priority: Priority
    served: list[Served] = field(default_factory=list)
    """The resources, where this server answers them."""
    behind: tuple[Elsewhere, Source] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    versions: list[Version]


def listed(registry: Iterable[Served], sources: Sources = ()) -> list[Group]:
    """All of them, the core group too, whose name is empty."""
    groups: dict[str, dict[str, Version]] = {}
    for served in registry:
        kind = served.resource.kind
        versions = groups.setdefault(kind.group, {})
        if kind.version not in versions:
            builtin = served.definition is None
            priority = priorities.built_in(kind.group, kind.version) if builtin else priorities.CUSTOM
            versions[kind.version] = Version(kind.version, priority)
        versions[kind.version].served.append(served)
    for elsewhere, source in sources:
        version = Version(elsewhere.version, elsewhere.priority, behind=(elsewhere, source))
        groups.setdefault(elsewhere.group, {})[elsewhere.version] = version
    found = [Group(name, sorted(versions.values(), key=_place)) for name, versions in groups.items()]
    return sorted(found, key=lambda group: (-max(each.priority.group for each in group.versions), group.name))


def _place(version: Version) -> tuple[int, tuple[int, int, int, str]]:
    return -version.priority.version, _rank(version.name)


def _rank(version: str) -> tuple[int, int, int, str]:
    """
    >>> sorted(["v1beta1", "v1", "v2", "v1alpha1", "other"], key=_rank)
    ['v2', 'v1', 'v1beta1', 'v1alpha1', 'other']
    """
    for stage, word in enumerate(("", "beta", "alpha")):
        head, found, tail = version.removeprefix("v").partition(word) if word else (version[1:], "", "")
        if version.startswith("v") and head.isdecimal() and (not word or (found and tail.isdecimal())):
            return stage, -int(head), -int(tail or 0), ""
    return 3, 0, 0, version
