"""The durable store: a MemoryStore whose changes pass through a journal before they count.

Writes are staged on the event loop and queued for one writer thread. The thread takes all that is queued into
one transaction (group commit), so that the wait for the disk is shared; back on the loop the group is committed
to memory, published and acknowledged, in the order of revisions. Reads and watches never touch the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue

from fairway.cluster.store.journal import GROUP, Journal
from fairway.cluster.store.lock import Lock
from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.store.protocol import Change, Completion, StoreFailed
from fairway.cluster.store.state import HISTORY, State

TRIM_EVERY = 1_000
"""Revisions that memory may have forgotten before the file forgets them too."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Write:
    """`epoch` counts failures. What was staged before a failure stands on what failed, and must fail with it."""

    change: Change
    epoch: int


class _Signal(Enum):
    EMPTY = auto()
    END = auto()


_Job = _Write | Callable[[], None] | _Signal


class SQLiteStore(MemoryStore):
    """Made by `open` only."""

    def __init__(self, state: State, journal: Journal, lock: Lock) -> None:
        super().__init__(state)
        self._journal, self._lock = journal, lock
        self._loop = asyncio.get_running_loop()
        self._outcomes: dict[int, list[asyncio.Future[None]]] = {}  # who waits for a revision
        self._epoch = 0
        self._trimmed = state.compacted
        self._queue: SimpleQueue[_Job] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_groups, name="fairway-store", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, path: Path, *, history: int = HISTORY, completion: Completion | None = None) -> SQLiteStore:
        """Open or make the database file `path`, in a folder that exists; what is in it goes through `completion`.

        Raises StoreLocked where another process has it open, and StoreFailed where it cannot be read or written.
        """
        state = State(history=history)
        journal, lock = await asyncio.to_thread(_open, path, state, completion)
        return cls(state, journal, lock)

    async def compact(self, before: int) -> None:
        before = min(before, self.revision)
        if before <= self._state.compacted:
            return
        await self._between_groups(lambda: self._journal.trim(before))
        self._trimmed = max(self._trimmed, before)
        self._state.forget(before)

    async def close(self) -> None:
        """Commit what is queued, then stop."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(_Signal.END)
        # The loop runs callbacks in the order of their coming: when this returns, all groups are published.
        await asyncio.to_thread(self._thread.join)
        self._broadcast.end()
        self._lock.release()

    async def _settle(self, change: Change) -> None:
        self._outcomes[change.revision] = []
        self._queue.put(_Write(change, self._epoch))
        await self._told(change)

    async def _outcome(self, change: Change) -> None:
        with contextlib.suppress(StoreFailed):
            await self._told(change)

    def _told(self, change: Change) -> asyncio.Future[None]:
        """Done when the change is. Each who waits has one of their own: the write goes on when one is cancelled."""
        told = self._loop.create_future()
        self._outcomes[change.revision].append(told)
        return told

    def _group_done(self, group: Sequence[_Write], error: StoreFailed | None) -> None:
        if error:
            self._fail_all(error)
            return
        for write in group:
            self._publish(write.change)
            for told in self._outcomes.pop(write.change.revision):
                _finish(told, None)
        if self._state.compacted - self._trimmed >= TRIM_EVERY and not self._closed:
            before = self._trimmed = self._state.compacted
            self._queue.put(lambda: self._trim_quietly(before))

    def _fail_all(self, error: StoreFailed) -> None:
        """Everything on its way was checked against content that does not exist now. Later writes start afresh."""
        self._epoch += 1
        self._state.abandon()
        outcomes, self._outcomes = self._outcomes, {}
        for told in chain.from_iterable(outcomes.values()):
            _finish(told, StoreFailed(str(error)))

    async def _between_groups(self, work: Callable[[], None]) -> None:
        """Run `work` on the writer thread, after what is queued now."""
        if self._closed:
            raise StoreFailed("the store is closed")
        done: asyncio.Future[None] = self._loop.create_future()

        def job() -> None:
            try:
                work()
            except StoreFailed as error:
                self._tell(_finish, done, error)
            else:
                self._tell(_finish, done, None)

        self._queue.put(job)
        await done

    # On the writer thread

    def _commit_groups(self) -> None:
        failed = -1
        group: list[_Write] = []
        job: _Job = _Signal.EMPTY
        while job is not _Signal.END:
            job = self._next(wait=not group)
            if isinstance(job, _Write):
                if job.epoch > failed:
                    group.append(job)
                if len(group) < GROUP:
                    continue
            if group:
                if not self._commit(group):
                    failed = group[-1].epoch
                group = []
            if callable(job):
                job()
        self._journal.close()

    def _next(self, *, wait: bool) -> _Job:
        try:
            return self._queue.get(block=wait)
        except Empty:
            return _Signal.EMPTY

    def _commit(self, group: list[_Write]) -> bool:
        try:
            self._journal.append([write.change for write in group])
        except StoreFailed as error:
            self._tell(self._group_done, group, error)
            return False
        self._tell(self._group_done, group, None)
        return True

    def _trim_quietly(self, before: int) -> None:
        try:
            self._journal.trim(before)
        except StoreFailed as error:
            _log.warning("old changes stay in the database for now: %s", error)

    def _tell(self, callback: Callable[..., None], *values: object) -> None:
        # Where the loop is closed nobody waits any more, and what was committed is found at the next start.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *values)


def _open(path: Path, state: State, completion: Completion | None) -> tuple[Journal, Lock]:
    lock = Lock(path.with_name(path.name + ".lock"))
    try:
        journal = Journal(path)
        if completion is not None:
            journal.complete(completion)
        stored = journal.load()
        state.restore(stored.records, stored.changes, stored.revision, stored.compacted)
    except BaseException:
        lock.release()
        raise
    return journal, lock


def _finish(done: asyncio.Future[None], error: StoreFailed | None) -> None:
    if done.done():
        return
    if error:
        done.set_exception(error)
    else:
        done.set_result(None)
