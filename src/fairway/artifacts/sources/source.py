"""The protocol of all places that bytes are fetched from: what lies at the address, and the bytes of each file.

`opening` gives the source of an address, `downloading` reads from it. A source knows nothing of caches or targets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """One file. `path` is its place beneath what was asked for; the last part of the address for a single file.

    `version` differs whenever the bytes do: an ETag, or size and time of change; empty where it cannot be told, and
    the bytes are then not found in a cache. `size` is None where nobody says it before the end.
    """

    path: str
    key: str
    size: int | None
    version: str


@dataclass(frozen=True, slots=True)
class Listing:
    """`single`: the address is of one file, not of a folder."""

    items: tuple[Item, ...]
    single: bool
    archive: str = ""
    """What a single file is packed as, where whoever serves it says so: zip or tar."""


class Source(Protocol):
    """Raises CannotFetch from each method."""

    name: str
    """Which store it is, endpoint and bucket included, in one text: part of the cache's key."""
    ranges: bool
    """Whether parts of a file can be read by themselves."""

    async def listing(self) -> Listing: ...

    def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes in chunks; raises Changed where they are no longer those of the listing."""
        ...

    async def close(self) -> None: ...
