"""From a source to files: several at a time, large ones in pieces, whole or not at all, once for all who want the same.

What is written lies in the cache's parts under the key of its version, with a journal of the pieces that are done and
their checksums: whoever comes after a process that died goes on there. At most `AT_ONCE` pieces of one fetch are on
their way at a time, in chunks of a megabyte, whatever the size of the model.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import uuid
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from fairway.artifacts.cache import Cache, Content
from fairway.artifacts.failures import Changed
from fairway.artifacts.sources.source import Item, Source

AT_ONCE = 8
PIECE = 16 << 20
_LOOK_SECONDS = 0.2


class Download:
    """One fetch's downloads from one source."""

    def __init__(self, source: Source, cache: Cache, piece: int = PIECE) -> None:
        self._source, self._cache, self._piece = source, cache, piece
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def all(self, items: tuple[Item, ...]) -> list[Content]:
        """In the order of the items. The first failure ends the others."""
        # A window of files, so that a folder of a hundred thousand does not open as many.
        window = asyncio.Semaphore(AT_ONCE)

        async def one(item: Item) -> Content:
            async with window:
                return await self._one(item)

        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(one(item)) for item in items]
        except BaseExceptionGroup as failures:
            raise _first(failures) from failures
        return [task.result() for task in running]

    async def _one(self, item: Item) -> Content:
        key_ = key(self._source.name, item)
        found = await asyncio.to_thread(self._cache.find, key_) if item.version else None
        if found is not None:
            return found
        async with _alone(self._cache.part(key_), shared=bool(item.version)) as part:
            found = await asyncio.to_thread(self._cache.find, key_) if item.version else None
            if found is None:
                await self._bring(item, part)
                found = await asyncio.to_thread(self._cache.keep, key_, part)
            return found

    async def _bring(self, item: Item, part: Path) -> None:
        if self._source.ranges and item.size is not None and item.size > self._piece:
            await self._in_pieces(item, item.size, part)
        else:
            await self._whole(item, part)

    async def _whole(self, item: Item, part: Path) -> None:
        async with self._slots:
            with open(part, "wb") as file:  # noqa: ASYNC230 - opening is quick, writing is in a thread
                async for chunk in self._source.read(item):
                    await asyncio.to_thread(file.write, chunk)
                size = file.tell()
        if item.size is not None and size != item.size:
            raise Changed(f"{item.path} has {size:,} bytes, and was said to have {item.size:,}")

    async def _in_pieces(self, item: Item, size: int, part: Path) -> None:
        """Pieces are written where they belong, in any order. However large the source says that the file is, no more
        of them are thought of than are on their way."""
        with _opened(part) as file, _opened(journal(part)) as done:
            os.ftruncate(file.fileno(), size)
            whole = await asyncio.to_thread(_finished, file.fileno(), done.fileno(), self._piece, size)

            done.seek(0, os.SEEK_END)

            async def piece(start: int) -> None:
                async with self._slots:
                    end = min(start + self._piece, size)
                    checksum = await self._piece_of(item, file.fileno(), start, end)
                    done.write(f"{start} {end} {checksum}\n".encode())

            missing = (start for start in range(0, size, self._piece) if start not in whole)

            async def pieces() -> None:
                for start in missing:
                    await piece(start)

            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(pieces())

    async def _piece_of(self, item: Item, descriptor: int, start: int, end: int) -> int:
        checksum, at = 0, start
        async for chunk in self._source.read(item, start, end):
            await asyncio.to_thread(_write_at, descriptor, chunk, at)
            checksum, at = zlib.crc32(chunk, checksum), at + len(chunk)
        if at != end:
            raise Changed(f"{item.path} gave {at - start:,} bytes of {end - start:,}")
        return checksum


def key(source: str, item: Item) -> str:
    """Of that version; one that nobody else has where versions cannot be told."""
    if not item.version:
        return uuid.uuid4().hex
    return hashlib.sha256(f"{source}\0{item.key}\0{item.version}\0{item.size}".encode()).hexdigest()


def journal(part: Path) -> Path:
    return part.with_name(f"{part.name}.pieces")


def _opened(path: Path) -> IO[bytes]:
    """For reading and writing; made where it is missing, and as it is where it is not."""
    return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+", buffering=0)


def _first(failures: BaseExceptionGroup) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _write_at(descriptor: int, chunk: bytes, at: int) -> None:
    """All of it: a write may take less than it is given, most of all where the disk is nearly full."""
    view = memoryview(chunk)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def _finished(descriptor: int, done: int, piece: int, size: int) -> set[int]:
    """Where the pieces begin that an earlier process wrote, and that are still what it wrote."""
    found = set()
    for line in os.pread(done, os.fstat(done).st_size, 0).decode().splitlines():
        words = line.split()
        if len(words) != 3 or not all(word.isdigit() for word in words):
            continue  # the last line of a process that died while it wrote it
        start, end, checksum = map(int, words)
        if end == min(start + piece, size) and zlib.crc32(os.pread(descriptor, end - start, start)) == checksum:
            found.add(start)
    return found


@asynccontextmanager
async def _alone(part: Path, *, shared: bool) -> AsyncGenerator[Path, None]:
    """While another process or task fetches the same, wait: then it is in the cache. What nobody could go on with,
    because its version cannot be told, goes with the one that failed."""
    lock_path = part.with_name(f"{part.name}.lock")
    with _opened(lock_path) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_LOOK_SECONDS)
        try:
            yield part
        except BaseException:
            if not shared:
                _unlink(part, lock_path)
            raise
        # Whoever waited finds it in the cache now, and has no more use for these.
        _unlink(journal(part), lock_path)


def _unlink(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
