"""Aggregated ClusterRoles: their rules are those of the ClusterRoles that their selectors find, and nobody else's.

One of the parts is kept here too: what the service accounts of a namespace may do with custom resources, which are
known only once somebody has defined them.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta, selectors
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CRD, Object
from fairway.kernel.objects.meta import Key

CUSTOM_RESOURCES = "fairway:workloads:custom-resources"
_PART_OF = "fairway.dev/aggregate-to-workloads"


def controller() -> Controller:
    book = _Aggregated()
    return Controller(
        "cluster-roles",
        CLUSTER_ROLE,
        _Reconciler(book).reconcile,
        watches=((CLUSTER_ROLE, book.wholes), (CRD, _of_custom_resources)),
        workers=1,
    )


def _of_custom_resources(definition: Object) -> Iterable[Key]:
    yield "", CUSTOM_RESOURCES


class _Aggregated:
    """The names of the roles that are put together from others: each change of a role concerns them all."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def note(self, name: str, role: Object | None) -> None:
        if role is not None and role.get("aggregationRule"):
            self._names.add(name)
        else:
            self._names.discard(name)

    def wholes(self, role: Object) -> Iterable[Key]:
        return [("", name) for name in self._names]


class _Reconciler:
    def __init__(self, book: _Aggregated) -> None:
        self._book = book

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        role = world.mirror(CLUSTER_ROLE).get("", name)
        self._book.note(name, role)
        if name == CUSTOM_RESOURCES:
            await _keep_custom_resources(world, role)
        if role is not None and role.get("aggregationRule"):
            rules = aggregated(role, world.mirror(CLUSTER_ROLE).all())
            if rules != (role.get("rules") or []):
                await world.client.patch(CLUSTER_ROLE, name, None, {"rules": rules})
        return None


def aggregated(whole: Object, roles: Iterable[Object]) -> list[Object]:
    """The rules of all other roles that one of the selectors finds, by the roles' names, each once."""
    wanted = whole["aggregationRule"].get("clusterRoleSelectors") or ()
    matches = [selectors.of(selector) for selector in wanted]
    found: list[Object] = []
    for role in sorted(roles, key=meta.name):
        if meta.name(role) != meta.name(whole) and any(match(meta.labels(role)) for match in matches):
            found += [rule for rule in role.get("rules") or () if rule not in found]
    return found


async def _keep_custom_resources(world: World, role: Object | None) -> None:
    found = (definition["spec"] for definition in world.mirror(CRD).all())
    groups = sorted({spec["group"] for spec in found if spec["scope"] == "Namespaced"})
    rules = [{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}] if groups else []
    if role is None:
        labels = {_PART_OF: "true", "kubernetes.io/bootstrapping": "rbac-defaults"}
        made = CLUSTER_ROLE.new(CUSTOM_RESOURCES, metadata={"labels": labels}, rules=rules)
        try:
            await world.client.create(CLUSTER_ROLE, made)
        except errors.AlreadyExists:
            return  # the mirror will show it, and it is looked at again
    elif rules != (role.get("rules") or []):
        await world.client.patch(CLUSTER_ROLE, CUSTOM_RESOURCES, None, {"rules": rules})
