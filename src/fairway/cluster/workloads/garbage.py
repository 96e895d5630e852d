"""Children go with their owners: garbage collection by ownerReferences, for every kind the API serves.

Background: a child whose owners are all gone is deleted. Foreground: an owner with the finalizer
`foregroundDeletion` waits for the children that block it. Orphan: children of an owner with the finalizer
`orphan` lose the reference and stay.

One mirror for each kind that discovery names feeds one queue of (kind, name). Events and leases are not
watched: they have no owners that matter and change all the time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fairway.cluster.workloads import discovery
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, back_off
from fairway.kernel.control import finalizers
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Ready, Service
from fairway.kernel.objects import api_services, errors, meta
from fairway.kernel.objects.kinds import API_SERVICE, CRD, EVENT, LEASE, Kind, Object
from fairway.kernel.objects.meta import Key

log = logging.getLogger(__name__)

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_WORKERS = 8
_FIRST_DELAY, _LONGEST_DELAY = 0.05, 30.0


def service(client: Client, clock: Clock) -> Service:
    async def run(ready: Ready) -> None:
        await Collector(client, clock).run(ready)

    return Service("garbage", run)


class _Item(NamedTuple):
    resource: str
    key: Key


class Collector:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._mirrors: dict[str, Mirror] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._by_kind: dict[tuple[str, str], str] = {}  # (group, kind) -> resource
        self._uids: dict[str, _Item] = {}
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._queued: set[_Item] = set()
        self._failures: dict[_Item, int] = {}
        self._rescan = asyncio.Event()

    async def run(self, ready: Ready) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self._follow_kinds(tasks)
            for mirror in list(self._mirrors.values()):
                await self._synced(mirror)
            ready()
            for number in range(_WORKERS):
                tasks.create_task(self._work(tasks), name=f"garbage-{number}")
            while True:
                await self._rescan.wait()
                self._rescan.clear()
                await self._follow_kinds(tasks)

    async def _synced(self, mirror: Mirror) -> None:
        """Wait for all that the API itself serves; another server's lists may not come for as long as it is down."""
        services = self._mirrors.get(API_SERVICE.resource)
        if services is not None and mirror is not services:
            await services.synced()
            service = services.get("", api_services.name(mirror.kind.group, mirror.kind.version))
            if _by_another(service):
                return
        await mirror.synced()

    # What exists

    async def _follow_kinds(self, tasks: asyncio.TaskGroup) -> None:
        """Start mirrors of new kinds, end those of kinds that are served no more."""
        try:
            kinds = await discovery.kinds(self._client, verbs=("list", "watch", "delete"))
        except errors.ApiError as failure:
            log.warning("the kinds of the API could not be read and will be asked again: %s", failure)
            tasks.create_task(self._rescan_later())
            return
        served = {kind.resource: kind for kind in kinds if kind.resource not in _UNWATCHED}
        for resource in self._mirrors.keys() - served.keys():
            self._tasks.pop(resource).cancel()
            del self._mirrors[resource]
        for resource, kind in served.items():
            known = self._mirrors.get(resource)
            if known is None or known.kind != kind:
                self._follow(kind, tasks)

    def _follow(self, kind: Kind, tasks: asyncio.TaskGroup) -> None:
        if previous := self._tasks.pop(kind.resource, None):
            previous.cancel()
        mirror = self._mirrors[kind.resource] = Mirror(self._client, kind, self._clock)
        self._by_kind[kind.group, kind.kind] = kind.resource
        mirror.subscribe(self._changes_of(kind))
        self._tasks[kind.resource] = tasks.create_task(mirror.run(), name=f"garbage-mirror-{kind.resource}")

    async def _rescan_later(self) -> None:
        await self._clock.sleep(1.0)
        self._rescan.set()

    def _changes_of(self, kind: Kind) -> Callable[[Object | None, Object | None], None]:
        resource = kind.resource

        def changed(old: Object | None, new: Object | None) -> None:
            if resource == CRD.resource or (resource == API_SERVICE.resource and _by_another(new or old)):
                self._rescan.set()
            if new is None:
                if old is not None:
                    self._gone(_Item(resource, meta.key(old)), old)
                return
            item = _Item(resource, meta.key(new))
            if old is not None and meta.uid(old) != meta.uid(new):
                self._gone(item, old)
            self._uids[meta.uid(new)] = item
            if _waits(new) or _owners_changed(old, new):
                self._add(item)

        return changed

    def _gone(self, item: _Item, old: Object) -> None:
        """Its children may be garbage now, and owners that waited for it may go."""
        uid = meta.uid(old)
        if self._uids.get(uid) == item:
            del self._uids[uid]
        for child, _ in self._children(old):
            self._add(child)
        for reference in old["metadata"].get("ownerReferences") or ():
            if owner := self._uids.get(reference["uid"]):
                self._add(owner)

    def _children(self, owner: Object) -> Iterable[tuple[_Item, Object]]:
        for resource, mirror in list(self._mirrors.items()):
            for child in mirror.owned(owner):
                yield _Item(resource, meta.key(child)), child

    # What to do

    def _add(self, item: _Item) -> None:
        if item not in self._queued:
            self._queued.add(item)
            self._queue.put_nowait(item)

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            item = await self._queue.get()
            self._queued.discard(item)
            try:
                await self._attend(item)
                self._failures.pop(item, None)
            except (errors.ApiError, OSError) as failure:
                log.debug("garbage of %s %s/%s will be tried again: %s", item.resource, *item.key, failure)
                tasks.create_task(self._retry(item))
            except Exception:  # what one object says of its owners must not keep all others
                log.exception("garbage of %s %s/%s will be tried again", item.resource, *item.key)
                tasks.create_task(self._retry(item))

    async def _retry(self, item: _Item) -> None:
        failures = self._failures[item] = self._failures.get(item, 0) + 1
        await self._clock.sleep(back_off(_FIRST_DELAY, failures, _LONGEST_DELAY))
        self._add(item)

    async def _attend(self, item: _Item) -> None:
        mirror = self._mirrors.get(item.resource)
        obj = mirror.get(*item.key) if mirror else None
        if mirror is None or obj is None:
            return
        if _waits(obj):
            await self._release(mirror.kind, obj)
        elif not meta.being_deleted(obj):
            await self._judge(mirror.kind, obj)

    async def _release(self, kind: Kind, owner: Object) -> None:
        """An owner that is being deleted and waits for its children to be deleted, or to be let go."""
        held = owner["metadata"].get("finalizers") or ()
        children = list(self._children(owner))
        if ORPHAN in held:
            for item, child in children:
                await self._drop_references(self._mirrors[item.resource].kind, child, {meta.uid(owner)})
            await finalizers.remove(self._client, kind, owner, ORPHAN)
            return
        blocking = [(item, child) for item, child in children if _blocks(child, owner)]
        for item, child in blocking:
            if not meta.being_deleted(child):
                await self._delete_waiting(self._mirrors[item.resource].kind, child)
            elif self._in_a_circle(child):
                await self._unblock(self._mirrors[item.resource].kind, child)
        if not blocking:
            await finalizers.remove(self._client, kind, owner, FOREGROUND)

    def _in_a_circle(self, child: Object) -> bool:
        """Perhaps: it waits, and so does one of its own children. Neither would ever go."""
        return _waits(child) and any(_waits(grandchild) for _, grandchild in self._children(child))

    async def _unblock(self, kind: Kind, child: Object) -> None:
        references = [{**ref, "blockOwnerDeletion": False} for ref in child["metadata"].get("ownerReferences") or ()]
        await self._patch_references(kind, child, references)

    async def _judge(self, kind: Kind, child: Object) -> None:
        """Delete a child whose owners are all gone or waiting for it; drop references to those that are gone."""
        references = child["metadata"].get("ownerReferences") or ()
        states = {ref["uid"]: await self._owner_state(child, ref) for ref in references}
        solid = [uid for uid, state in states.items() if state == "solid"]
        if not references or len(solid) == len(states):
            return
        if solid:
            await self._drop_references(kind, child, states.keys() - set(solid))
        elif any(states[ref["uid"]] == "waiting" and ref.get("blockOwnerDeletion") for ref in references):
            await self._delete_waiting(kind, child)
        else:
            await self._delete(kind, child, "Background")

    async def _owner_state(self, child: Object, reference: dict[str, object]) -> str:
        """solid: it lives. waiting: it is being deleted and waits for its children. gone: there is none."""
        uid, name = str(reference["uid"]), str(reference["name"])
        group = str(reference["apiVersion"]).rpartition("/")[0]
        resource = self._by_kind.get((group, str(reference["kind"])))
        mirror = self._mirrors.get(resource or "")
        if mirror is None:
            return "solid"  # a kind that is not served (now) cannot be judged; keep what may be someone's
        namespace = meta.namespace(child) if mirror.kind.namespaced else ""
        if mirror.kind.namespaced and not namespace:
            return "solid"  # an owner in some namespace cannot be found from outside of all, as upstream has it
        owner = mirror.get(namespace, name)
        if owner is None or meta.uid(owner) != uid:
            # The mirror may be behind: only the API's own word is enough to delete something.
            owner = await self._client.find(mirror.kind, name, namespace or None)
            if owner is None or meta.uid(owner) != uid:
                return "gone"
        waiting = meta.being_deleted(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())
        return "waiting" if waiting else "solid"

    async def _delete_waiting(self, kind: Kind, child: Object) -> None:
        """The owner waits for the child, so the child waits for its own children, if it has any."""
        await self._delete(kind, child, "Foreground" if any(self._children(child)) else "Background")

    async def _delete(self, kind: Kind, child: Object, propagation: str) -> None:
        await self._client.delete(
            kind, meta.name(child), meta.namespace(child) or None, propagation=propagation, uid=meta.uid(child)
        )

    async def _drop_references(self, kind: Kind, child: Object, uids: Iterable[str]) -> None:
        dropped = set(uids)
        kept = [ref for ref in child["metadata"].get("ownerReferences") or () if ref["uid"] not in dropped]
        await self._patch_references(kind, child, kept)

    async def _patch_references(self, kind: Kind, child: Object, references: list[Object]) -> None:
        revision = child["metadata"]["resourceVersion"]
        patch = {"metadata": {"ownerReferences": references or None, "resourceVersion": revision}}
        await self._client.patch(kind, meta.name(child), meta.namespace(child) or None, patch)


_UNWATCHED = frozenset((EVENT.resource, LEASE.resource))


def _by_another(service: Object | None) -> bool:
    """Whether an APIService brings kinds of its own: all others follow what is served here anyway."""
    return service is not None and bool(service["spec"].get("service"))


def _owners_changed(old: Object | None, new: Object) -> bool:
    """Most changes of an object are of its status, and say nothing about its owners."""
    references = new["metadata"].get("ownerReferences")
    before = old["metadata"].get("ownerReferences") if old is not None else None
    return bool(references) and references != before


def _waits(obj: Object) -> bool:
    if not meta.being_deleted(obj):
        return False
    held = obj["metadata"].get("finalizers") or ()
    return FOREGROUND in held or ORPHAN in held


def _blocks(child: Object, owner: Object) -> bool:
    uid = meta.uid(owner)
    references = child["metadata"].get("ownerReferences") or ()
    return any(ref["uid"] == uid and ref.get("blockOwnerDeletion") for ref in references)
