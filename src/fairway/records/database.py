"""The database as the rooms use it: functions run on a connection, in threads, awaited.

Reads run side by side, each in a transaction of its own. Writes are queued to one thread, which runs as many as
are waiting inside one transaction, and acknowledges them all after the commit: under load one disk flush pays for
hundreds of writes. A write that raises undoes only itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from fairway.records.engines import open_engine
from fairway.records.failures import RecordsFailed
from fairway.records.migrating import migrate

T = TypeVar("T")

GROUP = 256
"""Most writes in one transaction: bounds how long the first of them waits for its commit."""


@dataclass(slots=True)
class _Write:
    work: Callable[[Connection], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    written: Callable[[], None]
    result: Any = None
    failure: BaseException | None = None

    def acknowledge(self, failure: BaseException | None) -> None:
        self.failure = self.failure or failure
        with contextlib.suppress(RuntimeError):  # the loop ended while we wrote: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.failure is None:
            self.written()
        if self.done.cancelled():
            return
        if self.failure is not None:
            self.done.set_exception(self.failure)
        else:
            self.done.set_result(self.result)


class Database:
    """Close it when done. `read` and `write` may be awaited from any event loop."""

    def __init__(self, url: str, readers: Engine, writer: Engine, reading: int, written: Callable[[], None]) -> None:
        self.url = url
        self.shared = writer.dialect.name != "sqlite"
        """Whether other servers may write here too."""
        self._written = written
        self._readers, self._writer = readers, writer
        self._threads = ThreadPoolExecutor(reading, thread_name_prefix="records-read")
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writing = threading.Thread(target=self._write_all, name="records-write", daemon=True)
        self._closing = threading.Lock()
        self._closed = False
        self._writing.start()

    @classmethod
    def open(cls, url: str, *, readers: int = 4, written: Callable[[], None] = lambda: None) -> Database:
        """Open the database at its newest revision, migrating it where needed. Raises RecordsFailed.

        `written` is called after each write that came to something, in the event loop of who wrote.
        """
        migrate(url)
        reading = open_engine(url, connections=readers, writes=False)
        return cls(url, reading, open_engine(url, connections=1, writes=True), readers, written)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives. It sees one consistent state, and everything acknowledged before."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, after its changes are durable. What it raises undoes it, and only it.

        `work` runs again where a neighbour in its group raised, so it must change nothing but the database. A cancelled
        wait does not take the write back.
        """
        loop = asyncio.get_running_loop()
        write = _Write(work, loop.create_future(), loop, self._written)
        with self._closing:
            if self._closed:
                raise RecordsFailed("the records are closed")
            self._writes.put(write)
        result: T = await write.done
        return result

    async def close(self) -> None:
        """Finish the writes that were accepted, then let go of the file."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._writes.put(None)
        await asyncio.to_thread(self._writing.join)
        await asyncio.to_thread(self._threads.shutdown)
        self._readers.dispose()
        self._writer.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._readers.connect() as connection, connection.begin() as transaction:
                result = work(connection)
                transaction.rollback()
                return result
        except DBAPIError as failure:
            raise _translated(failure) from failure

    def _write_all(self) -> None:
        while (group := self._next_group()) is not None:
            try:
                self._commit(group)
            except BaseException as failure:
                told = _translated(failure) if isinstance(failure, DBAPIError) else failure
                for write in group:
                    write.acknowledge(told)
            else:
                for write in group:
                    write.acknowledge(None)

    def _next_group(self) -> list[_Write] | None:
        """Wait for a write, then take along those that wait behind it. None once closed and drained."""
        first = self._writes.get()
        if first is None:
            return None
        group = [first]
        with contextlib.suppress(queue.Empty):
            while len(group) < GROUP:
                following = self._writes.get_nowait()
                if following is None:
                    self._writes.put(None)
                    break
                group.append(following)
        return group

    def _commit(self, group: list[_Write]) -> None:
        """All of them together; where one raises, all again with a savepoint before each, which costs more."""
        try:
            with self._writer.begin() as connection:
                for write in group:
                    write.result = write.work(connection)
        except Exception:
            with self._writer.begin() as connection:
                for write in group:
                    _apart(connection, write)


def _apart(connection: Connection, write: _Write) -> None:
    """Run one write so that what it raises undoes nothing but itself."""
    savepoint = connection.begin_nested()
    try:
        write.result = write.work(connection)
        savepoint.commit()
    except Exception as failure:
        if not savepoint.is_active:
            raise  # the database took back the whole transaction, as SQLite does on a full disk
        savepoint.rollback()
        write.failure = _translated(failure) if isinstance(failure, DBAPIError) else failure


def _translated(failure: DBAPIError) -> Exception:
    """Mistakes in what is written stay what they are (IntegrityError); a database that fails is RecordsFailed."""
    if isinstance(failure, IntegrityError):
        return failure
    cause = str(failure.orig).strip()
    if "disk is full" in cause or "No space left" in cause:
        return RecordsFailed(f"the records cannot be written because the disk is full ({cause}); free some space")
    return RecordsFailed(f"the records database failed: {cause}")
