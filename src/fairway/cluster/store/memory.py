"""The store in memory: for tests and for what may be lost. `sqlite` puts a journal under it.

A write passes through `_settle`, which decides when it counts: here at once, there after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from fairway.cluster.store.broadcast import Broadcast
from fairway.cluster.store.protocol import (
    Change,
    Changes,
    Key,
    Label,
    Position,
    Record,
    Snapshot,
    StoreFailed,
    WrongRevision,
)
from fairway.cluster.store.scope import Scope
from fairway.cluster.store.state import State
from fairway.kernel.objects.kinds import Object


class MemoryStore:
    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        self._broadcast = Broadcast()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._closed = False

    @property
    def revision(self) -> int:
        return self._state.revision

    @property
    def compacted(self) -> int:
        return self._state.compacted

    def get(self, key: Key) -> Record | None:
        return self._state.get(key)

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        name: str = "",
        label: Label | None = None,
        at: int = 0,
        after: Position | None = None,
        limit: int = 0,
    ) -> Snapshot:
        return self._state.list(Scope(resource, namespace, name, label), at, after, limit)

    def changed(self, resource: str) -> int:
        return self._state.changed(resource)

    async def create(self, key: Key, obj: Object) -> Record:
        return await self._write(key, lambda: self._state.create(key, obj))

    async def update(self, key: Key, obj: Object, expected: int) -> Record:
        return await self._write(key, lambda: self._state.update(key, obj, expected))

    async def delete(self, key: Key, expected: int) -> Record:
        return await self._write(key, lambda: self._state.delete(key, expected))

    def watch(
        self, resource: str, namespace: str = "", *, name: str = "", label: Label | None = None, since: int
    ) -> Changes:
        scope = Scope(resource, namespace, name, label)
        return self._broadcast.watch(scope, since, self._state.changes(scope, since))

    def changes(self, since: int) -> Sequence[Change]:
        return self._state.since(since)

    def pending(self, key: Key) -> bool:
        return self._state.staged(key) is not None

    async def progress(self, revision: int) -> None:
        if revision > self._state.revision:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, reached))
            await reached
        else:
            await asyncio.sleep(0)  # whoever asks in a loop lets the writes come through

    async def compact(self, before: int) -> None:
        self._state.forget(before)

    async def close(self) -> None:
        self._closed = True
        self._broadcast.end()

    async def _write(self, key: Key, stage: Callable[[], Change]) -> Record:
        while True:
            if self._closed:
                raise StoreFailed("the store is closed")
            try:
                change = stage()
            except WrongRevision:
                staged = self._state.staged(key)
                if staged is None:
                    raise
                # The newer content is not committed yet and may still fail. Only what is true is an answer.
                await self._outcome(staged)
                continue
            await self._settle(change)
            return change.record

    async def _settle(self, change: Change) -> None:
        """Return once the change is committed and published. Raises StoreFailed where it could not be."""
        self._publish(change)
        await asyncio.sleep(0)  # lets watchers run, as a store with a disk does

    async def _outcome(self, change: Change) -> None:
        """Return once the staged change is committed or has failed. Here nothing stays staged."""

    def _publish(self, change: Change) -> None:
        self._state.commit(change)
        self._broadcast.publish(change, self._state.compacted)
        if self._waiting:
            self._tell_progress()

    def _tell_progress(self) -> None:
        waiting, self._waiting = self._waiting, []
        for revision, reached in waiting:
            if reached.done():
                continue
            if revision <= self._state.revision:
                reached.set_result(None)
            else:
                self._waiting.append((revision, reached))
