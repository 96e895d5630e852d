"""Pods that nobody controls and that a set selects become its own, as those that it selects no longer are let go.

Only pods without a controller are looked through, which are few: the others are their owners'. A set is told of a pod
that has become nobody's by `concerned`, and finds its own by `held`. Before it takes one the API is asked whether the
set is still there: one that is deleted and leaves its pods behind must not take them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fairway.cluster.workloads import pods
from fairway.kernel.control import controller as control
from fairway.kernel.control.controller import World
from fairway.kernel.objects import errors, meta, selectors
from fairway.kernel.objects.kinds import POD, Kind, Object
from fairway.kernel.objects.meta import Key
from fairway.kernel.objects.selectors import Test


class Orphans:
    """The pods without a controller, and what the sets of one kind select, by namespace."""

    def __init__(self, kind: Kind, may: Callable[[Object, Object], bool] = lambda obj, pod: True) -> None:
        """`may` says whether a set takes a pod that its selector fits."""
        self._kind, self._may = kind, may
        self._owner = control.owner(kind)
        self._pods: dict[str, set[str]] = {}
        self._selections: dict[str, dict[str, Test]] = {}

    def concerned(self, pod: Object) -> Iterable[Key]:
        """The set that controls the pod, or those that would like to."""
        namespace, name = meta.key(pod)
        if meta.controller_of(pod) is not None:
            self._pods.get(namespace, set()).discard(name)
            yield from self._owner(pod)
            return
        if meta.being_deleted(pod) or pods.over(pod):  # nobody takes it any more
            self._pods.get(namespace, set()).discard(name)
        else:
            self._pods.setdefault(namespace, set()).add(name)
        for one, fits in self._selections.get(namespace, {}).items():
            if fits(meta.labels(pod)):
                yield namespace, one

    def forget(self, namespace: str, name: str) -> None:
        """A set is gone, or going."""
        self._selections.get(namespace, {}).pop(name, None)

    async def held(self, world: World, obj: Object) -> list[Object]:
        """The set's pods that are not on their way out, after it has let go of some and taken others."""
        fits = selectors.of(selectors.widened(obj["spec"].get("selector")))
        self._selections.setdefault(meta.namespace(obj), {})[meta.name(obj)] = fits
        owned = [pod for pod in _controlled(world, obj) if not meta.being_deleted(pod)]
        for pod in owned:
            if not fits(meta.labels(pod)):
                others = [ref for ref in pod["metadata"]["ownerReferences"] if ref["uid"] != meta.uid(obj)]
                await _change(world, pod, others)
        mine = [pod for pod in self._mine(world, obj, fits) if self._may(obj, pod)]
        for pod in mine if mine and await self._stays(world, obj) else ():
            others = [ref for ref in pod["metadata"].get("ownerReferences") or () if ref["uid"] != meta.uid(obj)]
            await _change(world, pod, [*others, meta.owner_reference(obj)])
            owned.append(pod)
        return [pod for pod in owned if fits(meta.labels(pod))]

    async def all_held(self, world: World, obj: Object) -> list[Object]:
        """The same, and those of its pods that are on their way out."""
        leaving = [pod for pod in _controlled(world, obj) if meta.being_deleted(pod)]
        return [*await self.held(world, obj), *leaving]

    async def _stays(self, world: World, obj: Object) -> bool:
        found = await world.client.find(self._kind, meta.name(obj), meta.namespace(obj))
        return found is not None and meta.uid(found) == meta.uid(obj) and not meta.being_deleted(found)

    def _mine(self, world: World, obj: Object, fits: Test) -> list[Object]:
        namespace = meta.namespace(obj)
        known = self._pods.get(namespace, set())
        found = []
        for name in list(known):
            pod = world.mirror(POD).get(namespace, name)
            if pod is None or meta.controller_of(pod) is not None:
                known.discard(name)
            elif fits(meta.labels(pod)) and not meta.being_deleted(pod) and not pods.over(pod):
                found.append(pod)
        return found


def _controlled(world: World, obj: Object) -> list[Object]:
    """A pod has one controller; others that it names as owners have no say in it."""
    return [pod for pod in world.mirror(POD).owned(obj) if meta.controlled_by(pod, obj)]


async def _change(world: World, pod: Object, owners: list[Object]) -> None:
    changed = {"ownerReferences": owners or None, "resourceVersion": pod["metadata"]["resourceVersion"]}
    try:
        await world.client.patch(POD, meta.name(pod), meta.namespace(pod), {"metadata": changed})
    except errors.NotFound:
        return
