"""The one way to bytes by address, over obstore: files on one machine, buckets of object stores, memory in tests.

Addresses come from pipelines and from the network, so each is checked to lie under the root, symbolic links
included. A file appears whole or not at all. Whoever only wants to bring something here calls `fetching`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from fairway.artifacts.addresses import NotHere, checked, join, key_under
from fairway.artifacts.failures import CannotFetch, Unreachable
from fairway.artifacts.sources import buckets
from fairway.artifacts.sources.objects import translated

CHUNK = 256 * 1024
_AT_ONCE = 8
MOST_LISTED = 500_000
_LISTED = 1000
_UNFINISHED = re.compile(r"#\d+\Z")
"""What obstore names a file until it is whole."""

ObjectStore: TypeAlias = LocalStore | MemoryStore | S3Store | GCSStore | AzureStore


class ArtifactsFailed(OSError):
    """The store cannot be read or written: disk full, folder gone, no permission."""


class ArtifactsUnreachable(ArtifactsFailed):
    """The store does not answer, or not well: it may later."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored file. `modified` is in seconds since the epoch."""

    uri: str
    size: int
    modified: float


Entries: TypeAlias = list[Entry]


@dataclass(frozen=True, slots=True)
class Extent:
    """What lies at an address, file or folder: how many files, their bytes, and when the newest was modified."""

    files: int
    size: int
    modified: float


def open_store(url: str, credentials: Mapping[str, str] | None = None) -> Artifacts:
    """The artifacts under `url`: file:///folder (made where it is missing), s3://bucket/prefix and other buckets, or
    memory:// for tests. Raises ArtifactsFailed; nothing is asked of a bucket yet."""
    scheme, separator, path = url.partition("://")
    if scheme == "memory" and separator:
        return Artifacts(url, MemoryStore(), None)
    if scheme in buckets.SCHEMES:
        try:
            return Artifacts(url.rstrip("/"), buckets.store(url, credentials or {}), None)
        except (CannotFetch, BaseError) as failure:
            raise ArtifactsFailed(f"artifacts cannot be kept at {url}: {failure}") from failure
    if scheme != "file" or not path.startswith("/"):
        raise ArtifactsFailed(
            f"artifacts cannot be kept at {url!r}; use a folder, as in file:///var/lib/fairway, or a bucket, as in "
            "s3://bucket/prefix"
        )
    folder = Path(unquote(path))  # a URL is encoded, addresses under it are not
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failure:
        raise ArtifactsFailed(f"the artifacts folder {folder} cannot be made: {failure.strerror}") from failure
    return Artifacts(f"file://{folder}", LocalStore(folder), folder.resolve())


class Artifacts:
    """Raises NotHere for addresses outside the root, FileNotFoundError for what is not there, ArtifactsFailed."""

    def __init__(self, root: str, store: ObjectStore, folder: Path | None) -> None:
        self.root = root
        self._store, self._folder = store, folder

    def address(self, *parts: str) -> str:
        """The address of a key under the root."""
        return join(self.root, *parts)

    def local_path(self, uri: str) -> Path | None:
        """Where the bytes lie on this machine, present or not; None where the store is not on it."""
        if self._folder is None:
            return None
        key = key_under(self.root, uri)
        path = self._folder / key if key else self._folder
        if not _leads_into(self._folder, path):
            raise NotHere(f"{uri} is a link that leads out of the artifacts")
        return path

    async def get(self, uri: str) -> bytes:
        key = self._key(uri)
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except BaseError as failure:
            raise _translated(uri, failure) from failure

    async def put(self, uri: str, content: bytes) -> None:
        key = self._key(uri)
        try:
            await obstore.put_async(self._store, key, content)
        except BaseError as failure:
            raise _translated(uri, failure) from failure

    async def take(self, uri: str, path: Path) -> int:
        """A copy of the file or the folder at `path`, streamed; the number of files. Raises FileNotFoundError."""
        key = self._key(uri)
        files = await asyncio.to_thread(_files, path)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str, file: Path) -> None:
            async with slots:
                await obstore.put_async(self._store, f"{key}/{name}" if name else key, file)

        failures = await asyncio.gather(*(one(name, file) for name, file in files), return_exceptions=True)
        for failure in failures:
            if isinstance(failure, BaseError | FileNotFoundError):  # a bucket that is not there, say
                raise _translated(uri, failure) from failure
            if failure is not None:
                raise failure
        return len(files)

    async def stream(self, uri: str, *, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` on, at most `length` of them, in chunks; fewer where the file is shorter."""
        entry = await self.find(uri)
        if entry is None:
            raise FileNotFoundError(f"there is no artifact at {uri}")
        end = entry.size if length is None else min(entry.size, start + length)
        key = self._key(uri)
        while start < end:
            try:
                chunk = await obstore.get_range_async(self._store, key, start=start, end=min(start + CHUNK, end))
            except BaseError as failure:
                raise _translated(uri, failure) from failure
            yield bytes(chunk)
            start += len(chunk)

    async def find(self, uri: str) -> Entry | None:
        """The file at `uri`, or None where there is none. A folder is not a file."""
        try:
            found = await obstore.head_async(self._store, self._key(uri))
        except FileNotFoundError:
            return None
        except BaseError as failure:
            raise _translated(uri, failure) from failure
        return Entry(uri, found["size"], found["last_modified"].timestamp())

    async def list(self, uri: str) -> list[Entry]:
        """All files beneath the folder `uri`, by address; none where there is no such folder. Raises ArtifactsFailed
        for more than `MOST_LISTED`."""
        entries: Entries = []
        async for chunk in self._beneath(uri):
            entries += chunk
            if len(entries) > MOST_LISTED:
                raise ArtifactsFailed(f"the folder {uri} holds more than {MOST_LISTED:,} files")
        return sorted(entries, key=lambda entry: entry.uri)

    async def extent(self, uri: str, *, most: int) -> Extent | None:
        """What lies at `uri`, or None. Raises ArtifactsFailed for a folder of more than `most` files."""
        key = self._key(uri, root=True)
        single = await self.find(uri) if key else None
        if single is not None:
            return Extent(1, single.size, single.modified)
        files, size, modified = 0, 0, 0.0
        async for chunk in self._beneath(uri):
            files += len(chunk)
            if files > most:
                raise ArtifactsFailed(f"the folder {uri} holds more than {most:,} files; name a file in it")
            size += sum(entry.size for entry in chunk)
            modified = max([modified, *(entry.modified for entry in chunk)])
        return Extent(files, size, modified) if files else None

    async def delete(self, uri: str) -> None:
        """Remove the file, or the folder with all beneath it. Nothing there is fine."""
        key = self._key(uri)
        path = self.local_path(uri)
        try:
            if path is not None:
                await asyncio.to_thread(_remove, path)
                return
            paths = [entry["path"] for entry in await obstore.list(self._store, key).collect_async()]
            if await self.find(uri):
                paths.append(key)
            if paths:
                await obstore.delete_async(self._store, paths)
        except BaseError as failure:
            raise _translated(uri, failure) from failure

    async def _beneath(self, uri: str) -> AsyncGenerator[Sequence[Entry], None]:
        """All files beneath a folder, some at a time and in no order."""
        prefix, folder = self._key(uri, root=True), self.local_path(uri)
        if folder is not None and self._folder is not None:
            walk = _walked(self._folder, folder)
            while chunk := await asyncio.to_thread(lambda: tuple(islice(walk, _LISTED))):
                yield [Entry(join(self.root, key), found.st_size, found.st_mtime) for key, found in chunk]
            return
        try:
            async for listed in obstore.list(self._store, prefix or None, chunk_size=_LISTED):
                yield [Entry(join(self.root, e["path"]), e["size"], e["last_modified"].timestamp()) for e in listed]
        except FileNotFoundError:
            return
        except BaseError as failure:
            raise _translated(uri, failure) from failure

    def _key(self, uri: str, *, root: bool = False) -> str:
        key = key_under(self.root, uri)
        if not key and not root:
            raise NotHere(f"{uri} is the root of the artifacts; name something in it")
        self.local_path(uri)
        return key


def _leads_into(top: Path, path: Path) -> bool:
    """Whether it is there once all links are followed; links that go round lead nowhere, and so not out."""
    return Path(os.path.realpath(path)).is_relative_to(top)


def _walked(top: Path, folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The files beneath a folder, by their keys. Of a link only one to a file under the root is one of them: a step
    that leaves a link to the whole disk does not have all of it told."""
    for place, _, names in os.walk(folder):
        above = "" if place == str(top) else f"{os.path.relpath(place, top)}/"
        for name in names:
            path, key = os.path.join(place, name), f"{above}{name}"
            with suppress(OSError, NotHere, UnicodeEncodeError):  # gone meanwhile, or of a name that no address has
                found = os.lstat(path)
                if stat.S_ISLNK(found.st_mode) and _leads_into(top, Path(path)):
                    found = os.stat(path)
                if stat.S_ISREG(found.st_mode) and not _UNFINISHED.search(name) and key.encode():
                    yield checked(key), found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(path: Path) -> list[tuple[str, Path]]:
    """The file itself, under no name, or all files of the folder. Links lead where they lead for the step that made
    them, but not to folders elsewhere."""
    if not path.is_dir():
        path.stat()
        return [("", path)]
    return [
        (str(Path(place, name).relative_to(path)), Path(place, name))
        for place, _, names in os.walk(path)
        for name in names
        if Path(place, name).is_file()
    ]


def _translated(uri: str, failure: Exception) -> OSError:
    why = translated(uri, failure)
    kind = ArtifactsUnreachable if isinstance(why, Unreachable) else ArtifactsFailed
    return kind(f"the artifact {uri} cannot be read or written: {why}")
