"""A local copy of one kind, kept by list and watch, with those who want to hear of changes.

The copy follows the server and may be a little behind it. After a lost watch it resumes from the last
revision seen; when that is too old it lists again and tells subscribers the difference.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import aclosing

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, back_off
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.meta import Key

log = logging.getLogger(__name__)

_LONGEST_DELAY = 10.0
_LOOK_AGAIN = 5.0
"""Seconds until a kind that the cluster did not know is asked for again."""

Changed = Callable[["Object | None", "Object | None"], None]
"""Called with (old, new); one of them is None at birth and at death."""


class Mirror:
    def __init__(self, client: Client, kind: Kind, clock: Clock, *, fields: str = "", labels: str = "") -> None:
        self.kind = kind
        self._client, self._clock = client, clock
        self._fields, self._labels = fields, labels
        self._objects: dict[Key, Object] = {}
        self._by_owner: dict[str, set[Key]] = {}
        self._by_namespace: dict[str, set[Key]] = {}
        self._subscribers: list[Changed] = []
        self._synced = asyncio.Event()
        self._revision = ""

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def all(self, namespace: str | None = None) -> list[Object]:
        if namespace is None:
            return list(self._objects.values())
        return [self._objects[key] for key in self._by_namespace.get(namespace, ())]

    def owned(self, owner: Object) -> list[Object]:
        """The objects that name `owner` among their owners, by its uid.

        An owner that is in a namespace has what is in it: who writes in another one has no part in it.
        """
        namespace = meta.namespace(owner)
        keys = self._by_owner.get(meta.uid(owner), ())
        return [self._objects[key] for key in keys if not namespace or key[0] == namespace]

    def subscribe(self, changed: Changed) -> Callable[[], None]:
        """Hear of every change from now on, and of all that is here at once. Gives the way to stop."""
        for obj in list(self._objects.values()):
            _tell(changed, None, obj)
        self._subscribers.append(changed)
        return lambda: self._subscribers.remove(changed)

    async def synced(self) -> None:
        await self._synced.wait()

    async def run(self) -> None:
        """Follow the server for ever."""
        failures = 0
        while True:
            try:
                if not self._revision:
                    await self._list()
                    self._synced.set()
                await self._follow()
                failures = 0
            except errors.Expired:
                self._revision = ""
            except errors.NotFound:
                # The cluster does not know the kind (yet): there are none, and who needs one will be told so.
                log.debug("%s is not served by this cluster", self.kind.resource)
                self._revision = ""
                self._synced.set()
                await self._clock.sleep(_LOOK_AGAIN)
            except (errors.ApiError, OSError) as failure:
                failures += 1
                level = logging.DEBUG if failures < 3 else logging.WARNING
                log.log(level, "watch of %s interrupted: %s", self.kind.resource, failure)
                await self._clock.sleep(back_off(0.1, failures, _LONGEST_DELAY))
            except (LookupError, TypeError, AttributeError, ValueError):
                # Servers of others may send anything.
                failures += 1
                log.exception("what the server sends of %s is not understood", self.kind.resource)
                self._revision = ""
                await self._clock.sleep(back_off(0.1, failures, _LONGEST_DELAY))

    async def _list(self) -> None:
        page = await self._client.list(self.kind, labels=self._labels, fields=self._fields)
        found = {_key(item): item for item in page.items}
        for key in self._objects.keys() - found.keys():
            self._put(key, None)
        for key, item in found.items():
            self._put(key, item)
        self._revision = page.revision

    async def _follow(self) -> None:
        events = self._client.watch(self.kind, since=self._revision, labels=self._labels, fields=self._fields)
        async with aclosing(events):
            async for event in events:
                if event.type != "BOOKMARK":
                    self._put(_key(event.object), None if event.type == "DELETED" else event.object)
                self._revision = str(event.object["metadata"]["resourceVersion"])

    def _put(self, key: Key, new: Object | None) -> None:
        old = self._objects.get(key)
        if old is not None and new is not None and meta.revision(old) == meta.revision(new):
            return
        if old is not None:
            self._unindex(key, old)
        if new is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = new
            _add(self._by_namespace, key[0], key)
            for uid in _owners(new):
                _add(self._by_owner, uid, key)
        if old is None and new is None:
            return
        for changed in tuple(self._subscribers):
            _tell(changed, old, new)

    def _unindex(self, key: Key, old: Object) -> None:
        _discard(self._by_namespace, key[0], key)
        for uid in _owners(old):
            _discard(self._by_owner, uid, key)


class Mirrors:
    """One mirror for each kind, or for a part of it by fields, shared by all of a process; started on first use."""

    def __init__(self, client: Client, clock: Clock, tasks: asyncio.TaskGroup) -> None:
        self._client, self._clock, self._tasks = client, clock, tasks
        self._mirrors: dict[tuple[Kind, str], Mirror] = {}

    def of(self, kind: Kind, fields: str = "") -> Mirror:
        mirror = self._mirrors.get((kind, fields))
        if mirror is None:
            mirror = self._mirrors[kind, fields] = Mirror(self._client, kind, self._clock, fields=fields)
            self._tasks.create_task(mirror.run(), name=f"mirror-{kind.resource}")
        return mirror


def _tell(changed: Changed, old: Object | None, new: Object | None) -> None:
    """One object that a subscriber cannot read is not the end of the copy, and of all who live by it."""
    try:
        changed(old, new)
    except Exception:
        seen = new or old or {}
        log.exception("a change of %s %s/%s was not understood", seen.get("kind"), *meta.key(seen))


def _key(obj: Object) -> Key:
    """Raises InternalError for what is no object, as servers of others may send."""
    try:
        return meta.key(obj)
    except (KeyError, TypeError, AttributeError):
        raise errors.InternalError("what the server lists has no metadata.name") from None


def _owners(obj: Object) -> Iterable[str]:
    references = obj["metadata"].get("ownerReferences")
    return [ref["uid"] for ref in references] if references else ()


def _add(index: dict[str, set[Key]], at: str, key: Key) -> None:
    keys = index.get(at)
    if keys is None:
        index[at] = {key}
    else:
        keys.add(key)


def _discard(index: dict[str, set[Key]], at: str, key: Key) -> None:
    keys = index.get(at)
    if keys:
        keys.discard(key)
        if not keys:
            del index[at]
