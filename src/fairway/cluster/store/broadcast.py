"""Watches: each has its own queue of committed changes, filled by the store and emptied by its reader.

Publishing never waits for a reader. A watch whose reader lags too far is cut off: it raises Compacted, and its
reader must list again, as after a long absence.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from types import TracebackType

from fairway.cluster.store.protocol import Change, Changes, Compacted, Key, Label, Record
from fairway.cluster.store.scope import Scope

BACKLOG = 10_000
"""Changes that a reader may lag behind."""

_FEW = 8
"""Scopes up to which asking each is quicker than finding those that a change is in."""


class Broadcast:
    def __init__(self) -> None:
        self._crowds: dict[str, _Crowd] = {}

    def watch(self, scope: Scope, since: int, missed: Iterable[Change]) -> Watch:
        """A watch of what comes, which first gives `missed`."""
        watch = Watch(self, scope, since, missed)
        self._crowds.setdefault(scope.resource, _Crowd()).add(watch)
        return watch

    def publish(self, change: Change, compacted: int) -> None:
        crowd = self._crowds.get(change.record.key.resource)
        if crowd is not None:
            for watch in crowd.concerned(change):
                watch.offer(change, compacted)

    def drop(self, watch: Watch) -> None:
        self._crowds[watch.scope.resource].drop(watch)

    def end(self) -> None:
        """No more changes: each reader gets what is queued for it, then the end."""
        for crowd in self._crowds.values():
            for watch in crowd.everybody():
                watch.end()

    def count(self, resource: str) -> int:
        """How many watch the resource."""
        crowd = self._crowds.get(resource)
        return len(crowd.everybody()) if crowd else 0


class _Crowd:
    """The watches of one resource by their scope, so that a change is offered only to those whom it concerns."""

    def __init__(self) -> None:
        # Dicts as ordered sets: watches of one scope are told in the order in which they came.
        self._watches: dict[Scope, dict[Watch, None]] = {}
        self._keys: Counter[str] = Counter()

    def add(self, watch: Watch) -> None:
        self._watches.setdefault(watch.scope, {})[watch] = None
        if watch.scope.label:
            self._keys[watch.scope.label[0]] += 1

    def drop(self, watch: Watch) -> None:
        same = self._watches.get(watch.scope, {})
        if watch not in same:
            return
        del same[watch]
        if not same:
            del self._watches[watch.scope]
        if watch.scope.label:
            self._keys -= Counter([watch.scope.label[0]])

    def everybody(self) -> list[Watch]:
        return [watch for same in self._watches.values() for watch in same]

    def concerned(self, change: Change) -> list[Watch]:
        if len(self._watches) <= _FEW:
            return [watch for scope, same in self._watches.items() if scope.concerns(change) for watch in same]
        key = change.record.key
        scopes = (
            Scope(key.resource, namespace, name, label)
            for namespace in dict.fromkeys(("", key.namespace))
            for name in ("", key.name)
            for label in self._labels(change)
        )
        return [watch for scope in scopes for watch in self._watches.get(scope, ())]

    def _labels(self, change: Change) -> dict[Label | None, None]:
        """Those of the object, now and before, that somebody watches, and none."""
        found: dict[Label | None, None] = {None: None}
        for record in (change.record, change.previous):
            labels = (record.object["metadata"].get("labels") or {}) if record else {}
            found |= {(key, value): None for key, value in labels.items() if key in self._keys}
        return found


class Watch(Changes):
    """What `Store.watch` gives. Not a generator function, because those start at their first step only."""

    def __init__(self, broadcast: Broadcast, scope: Scope, since: int, missed: Iterable[Change]) -> None:
        self.scope = scope
        self._since, self._broadcast = since, broadcast
        self._queue: deque[Change] = deque(missed)
        self._limit = len(self._queue) + BACKLOG
        self._waiter: asyncio.Future[None] | None = None
        self._cut_at: int | None = None
        self._ended = False

    def offer(self, change: Change, compacted: int) -> None:
        if change.revision <= self._since:
            return
        if len(self._queue) >= self._limit:
            self._queue.clear()
            self._cut_at = compacted
            self.end()
            return
        self._queue.append(change)
        self._wake()

    def progress(self, revision: int) -> None:
        if not self._ended:
            self._queue.append(Change("PROGRESS", Record(Key(self.scope.resource, "", ""), revision, b"", {}), None))
            self._wake()

    def end(self) -> None:
        self._ended = True
        self._broadcast.drop(self)
        self._wake()

    async def __anext__(self) -> Change:
        while not self._queue:
            if self._cut_at is not None:
                raise Compacted(self._cut_at)
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._queue.popleft()

    async def asend(self, value: None) -> Change:
        return await self.__anext__()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Change:
        await self.aclose()
        if isinstance(typ, BaseException):
            raise typ
        raise val if isinstance(val, BaseException) else typ()

    async def aclose(self) -> None:
        self._queue.clear()
        self.end()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
