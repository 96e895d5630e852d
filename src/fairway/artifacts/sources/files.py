"""Files and folders of this machine. A link is followed only as far as the folder that was asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from fairway.artifacts.failures import CannotFetch, Changed, NothingThere
from fairway.artifacts.sources.source import Item, Listing

CHUNK = 1 << 20


class FilesSource:
    ranges = True

    def __init__(self, path: Path) -> None:
        self.name = "file"
        self._path = path

    async def listing(self) -> Listing:
        return await asyncio.to_thread(self._listing)

    async def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        try:
            with open(item.key, "rb") as file:  # noqa: ASYNC230 - opening is quick, reading is in a thread
                file.seek(start)
                left = (item.size or 0) - start if end is None else end - start
                while left > 0:
                    chunk = await asyncio.to_thread(file.read, min(CHUNK, left))
                    if not chunk or _version(os.fstat(file.fileno())) != item.version:
                        raise Changed(f"{item.key} changed while it was read")
                    left -= len(chunk)
                    yield chunk
        except OSError as failure:
            raise CannotFetch(f"{item.key} cannot be read: {failure.strerror}") from failure

    async def close(self) -> None:
        """Nothing is held open between two reads."""

    def _listing(self) -> Listing:
        try:
            if self._path.is_file():
                return Listing((_item(self._path, self._path.name),), single=True)
            if not self._path.is_dir():
                raise NothingThere(f"there is nothing at {self._path}")
            items = tuple(sorted(self._beneath(), key=lambda item: item.path))
        except OSError as failure:
            raise CannotFetch(f"{self._path} cannot be read: {failure.strerror}") from failure
        if not items:
            raise NothingThere(f"the folder {self._path} is empty")
        return Listing(items, single=False)

    def _beneath(self) -> Iterator[Item]:
        top = self._path.resolve()
        for place, folders, names in os.walk(top, followlinks=False):
            for linked in (Path(place, name) for name in folders):
                if linked.is_symlink():
                    raise CannotFetch(f"{linked} is a link to a folder, which is not followed: copy the folder there")
            for name in names:
                path = Path(place, name)
                if path.is_symlink() and not path.resolve().is_relative_to(top):
                    raise CannotFetch(f"{path} is a link that leads out of {self._path}")
                if path.is_file():
                    yield _item(path, str(path.relative_to(top)))


def _item(path: Path, name: str) -> Item:
    found = path.stat()
    return Item(name, str(path), found.st_size, _version(found))


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
