"""Large files come in pieces, and what a process that died has written is not fetched again."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairway.artifacts.cache import Cache
from fairway.artifacts.downloading import AT_ONCE, Download, journal
from fairway.artifacts.failures import Changed
from fairway.artifacts.sources.source import Item, Listing

PIECE = 1000
CONTENT = bytes(number % 251 for number in range(25 * PIECE + 17))


@dataclass
class Counting:
    """A source in memory that tells what was read of it, and stops where it is told to."""

    content: bytes = CONTENT
    name: str = "counting"
    ranges: bool = True
    read_: list[int] = field(default_factory=list)
    inside: int = 0
    most: int = 0
    fails_after: int = 10**9

    async def listing(self) -> Listing:
        return Listing((Item("big", "big", len(self.content), "v1"),), single=True)

    async def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(0)
            if len(self.read_) >= self.fails_after:
                raise Changed("enough")
            self.read_.append(start)
            stop = len(self.content) if end is None else end
            for at in range(start, stop, 300):
                yield self.content[at : min(at + 300, stop)]
        finally:
            self.inside -= 1

    async def close(self) -> None:
        pass


async def download(source: Counting, cache: Cache) -> Path:
    (found,) = await Download(source, cache, piece=PIECE).all((await source.listing()).items)
    return found.path


async def test_a_large_file_comes_in_pieces_and_only_so_many_at_a_time(tmp_path: Path) -> None:
    source = Counting()
    path = await download(source, Cache(tmp_path))
    assert path.read_bytes() == CONTENT
    assert sorted(source.read_) == list(range(0, len(CONTENT), PIECE))
    assert 1 < source.most <= AT_ONCE


async def test_pieces_that_were_written_before_a_death_are_not_fetched_again(tmp_path: Path) -> None:
    cache, first, second = Cache(tmp_path), Counting(fails_after=10), Counting()
    with pytest.raises(Changed):
        await download(first, cache)
    (parts,) = tmp_path.glob("parts/*.pieces")
    done = len(parts.read_text().splitlines())
    assert done
    with parts.open("a") as torn:
        torn.write("24000 25")
    assert (await download(second, cache)).read_bytes() == CONTENT
    assert len(second.read_) == 26 - done
    assert not any((tmp_path / "parts").iterdir())


async def test_a_piece_that_is_not_what_was_written_is_fetched_again(tmp_path: Path) -> None:
    """The journal may reach the disk before the bytes do, when the power goes."""
    cache, first, second = Cache(tmp_path), Counting(fails_after=10), Counting()
    with pytest.raises(Changed):
        await download(first, cache)
    (pieces,) = tmp_path.glob("parts/*.pieces")
    part = pieces.with_name(pieces.name.removesuffix(".pieces"))
    assert journal(part) == pieces
    start, end, checksum = map(int, pieces.read_text().splitlines()[0].split())
    content = bytearray(part.read_bytes())
    assert zlib.crc32(content[start:end]) == checksum
    content[start] ^= 1
    part.write_bytes(content)
    assert (await download(second, cache)).read_bytes() == CONTENT
    assert start in second.read_


async def test_a_source_that_gives_less_than_it_said_is_told_of(tmp_path: Path) -> None:
    class Short(Counting):
        async def listing(self) -> Listing:
            return Listing((Item("big", "big", len(self.content) + 5, "v1"),), single=True)

    with pytest.raises(Changed, match="was said to have"):
        await download(Short(content=b"x" * 10), Cache(tmp_path))


async def test_a_file_that_is_said_to_be_vast_is_not_thought_of_as_a_whole(tmp_path: Path) -> None:
    tasks = []

    class Boasting(Counting):
        async def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
            tasks.append(len(asyncio.all_tasks()))
            raise Changed("there is nothing")
            yield b""

    vast = Item("vast", "vast", 100_000 * PIECE, "v1")
    with pytest.raises(Changed, match="there is nothing"):
        await Download(Boasting(), Cache(tmp_path), piece=PIECE).all((vast,))
    assert max(tasks) < 50
