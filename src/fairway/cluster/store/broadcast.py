"""Watches: each has its own queue of committed changes, filled by the store and emptied by its reader.

Publishing never waits for a reader. A watch whose reader lags too far is cut off: it raises Compacted, and its
reader must list again, as after a long absence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType

from fairway.cluster.store.protocol import Change, Compacted

BACKLOG = 10_000
"""Changes that a reader may lag behind."""


class Broadcast:
    def __init__(self) -> None:
        # Dicts as ordered sets: watches are told in the order in which they came.
        self._watches: dict[str, dict[Watch, None]] = {}

    def watch(self, resource: str, namespace: str, since: int, missed: Iterable[Change]) -> Watch:
        """A watch of what comes, which first gives `missed`."""
        watch = Watch(self, resource, namespace, since, missed)
        self._watches.setdefault(resource, {})[watch] = None
        return watch

    def publish(self, change: Change, compacted: int) -> None:
        for watch in tuple(self._watches.get(change.record.key.resource, ())):
            watch.offer(change, compacted)

    def drop(self, watch: Watch) -> None:
        self._watches.get(watch.resource, {}).pop(watch, None)

    def end(self) -> None:
        """No more changes: each reader gets what is queued for it, then the end."""
        for watches in self._watches.values():
            for watch in tuple(watches):
                watch.end()


class Watch(AsyncGenerator[Change, None]):
    """What `Store.watch` gives. Not a generator function, because those start at their first step only."""

    def __init__(
        self, broadcast: Broadcast, resource: str, namespace: str, since: int, missed: Iterable[Change]
    ) -> None:
        self.resource = resource
        self._namespace, self._since, self._broadcast = namespace, since, broadcast
        self._queue: deque[Change] = deque(missed)
        self._limit = len(self._queue) + BACKLOG
        self._waiter: asyncio.Future[None] | None = None
        self._cut_at: int | None = None
        self._ended = False

    def offer(self, change: Change, compacted: int) -> None:
        if self._namespace and self._namespace != change.record.key.namespace:
            return
        if change.revision <= self._since:
            return
        if len(self._queue) >= self._limit:
            self._queue.clear()
            self._cut_at = compacted
            self.end()
            return
        self._queue.append(change)
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
