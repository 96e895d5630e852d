"""Objects of a bucket, whichever store keeps it: the part of S3, Google and Azure that is the same, over obstore."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

from fairway.artifacts.failures import CannotFetch, Changed, NothingThere, Unreachable
from fairway.artifacts.sources.source import Item, Listing

CHUNK = 1 << 20
MOST_OBJECTS = 500_000
"""Of one address: whoever keeps a store may list what there is not, and without an end."""


class ObjectsSource:
    """An object, or all objects whose keys begin with `key/`."""

    ranges = True

    def __init__(self, uri: str, name: str, store: Any, key: str) -> None:
        self.name = name
        self._uri, self._store, self._key = uri, store, key.strip("/")

    async def listing(self) -> Listing:
        try:
            single = await self._single()
            if single is not None:
                return Listing((single,), single=True)
            return Listing(await self._beneath(), single=False)
        except (BaseError, FileNotFoundError, ValueError) as failure:
            raise translated(self._uri, failure) from failure

    async def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        options: Any = {}
        if item.version.startswith('"'):
            options["if_match"] = item.version
        if end is not None:
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        try:
            found = await obstore.get_async(self._store, item.key, options=options)
            async for chunk in found.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)
        except PreconditionError as failure:
            raise Changed(f"{self._uri} changed while it was read") from failure
        except (BaseError, FileNotFoundError) as failure:
            raise translated(self._uri, failure) from failure

    async def close(self) -> None:
        """Nothing is held open between two requests."""

    async def _single(self) -> Item | None:
        if not self._key:
            return None
        try:
            found = await obstore.head_async(self._store, self._key)
        except FileNotFoundError:
            return None
        return _item(self._key.rpartition("/")[2], found)

    async def _beneath(self) -> tuple[Item, ...]:
        prefix = f"{self._key}/" if self._key else ""
        items = []
        async for chunk in obstore.list(self._store, prefix or None, chunk_size=1000):
            for each in chunk:
                if each["size"] or not await self._marks_a_folder(each["path"], prefix):
                    items.append(_item(each["path"][len(prefix) :], each))
            if len(items) > MOST_OBJECTS:
                raise CannotFetch(f"there are more than {MOST_OBJECTS:,} objects at {self._uri}: name a part of them")
        if not items:
            raise NothingThere(f"there is nothing at {self._uri}: look at the bucket and the name")
        return tuple(sorted(items, key=lambda item: item.path))

    async def _marks_a_folder(self, key: str, prefix: str) -> bool:
        """Consoles mark folders by empty objects whose names end with a slash, which the list of obstore leaves out."""
        if len(key) <= len(prefix):
            return True
        try:
            await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return True
        return False


def _item(path: str, found: Any) -> Item:
    version = found["e_tag"] or found["version"] or f"{found['last_modified'].isoformat()} {found['size']}"
    return Item(path, found["path"], found["size"], str(version))


def translated(uri: str, failure: Exception) -> CannotFetch:
    """In a sentence, without what the library dumps of its requests: that may hold keys."""
    if isinstance(failure, FileNotFoundError):
        return NothingThere(f"there is nothing at {uri}: look at the bucket and the name")
    if isinstance(failure, PermissionDeniedError | UnauthenticatedError):
        return CannotFetch(
            f"{uri} is not for us: the store refuses these credentials, or asks for some; put them into the secret"
        )
    said = str(failure).partition("\n")[0]
    if isinstance(failure, ValueError):  # an empty segment
        return CannotFetch(f"{uri} is no object's name here: write it without empty segments")
    if "Not Found" in said or "NoSuchBucket" in str(failure):
        return NothingThere(f"there is nothing at {uri}: look at the bucket and the name")
    if "builder error" in said or "Failed to parse URL" in said:
        return CannotFetch(f"{uri} cannot be read: its endpoint is no address that can be called")
    return Unreachable(f"{uri} cannot be read now: {said}")
