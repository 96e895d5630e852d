"""Numbers that all processes of a server share: one page of shared memory each, read together.

A page belongs to one process, which alone writes it, so nothing is locked. It is a list of series, each with its
cells, and only grows; a process that takes the place of a dead one goes on where that one counted. Made before the
processes are forked. It knows no names: `metrics` does.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Iterator

CELLS = 32 * 1024
NAMES = 512 * 1024
_BYTES = CELLS * 8 + NAMES
_USED, _INSIDE, _SINCE, _INTEGRAL, _FIRST = range(5)
_RECORD = struct.Struct("<cHHI")  # kind, length of the name, cells, first cell

COUNTER, GAUGE, HISTOGRAM = b"c", b"g", b"h"

Series = tuple[bytes, str]
"""Its kind and its name with labels, as Prometheus writes it."""


class Board:
    """`pages` as many as processes. Pages that nobody touches take no memory."""

    def __init__(self, pages: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, pages * _BYTES))
        self._pages = pages

    def page(self, number: int) -> Page:
        return Page(self._memory[number * _BYTES : (number + 1) * _BYTES])

    def totals(self) -> dict[Series, list[float]]:
        """Each series' cells, added over all processes."""
        totals: dict[Series, list[float]] = {}
        for number in range(self._pages):
            for series, cells in self.page(number).series():
                known = totals.setdefault(series, [0.0] * len(cells))
                for place, value in enumerate(cells):
                    known[place] += value
        return totals

    def inside(self) -> tuple[float, float]:
        """(requests inside now, their number integrated over time in seconds), of all processes."""
        pages = [self.page(number).inside() for number in range(self._pages)]
        return sum(page[0] for page in pages), sum(page[1] for page in pages)


class Page:
    """One process' numbers. `cells` are written in place, at the index that `allot` gave."""

    def __init__(self, memory: memoryview) -> None:
        self.cells = memory[: CELLS * 8].cast("d")
        self._names = memory[CELLS * 8 :]
        self._known = {series: first for series, first, _ in self._records()}
        self._next = max((first + size for _, first, size in self._records()), default=_FIRST)

    def take_over(self) -> None:
        """The process that had this page is dead: what it was in the middle of is over."""
        self.cells[_INTEGRAL] = self.inside()[1]
        self.cells[_INSIDE] = 0.0
        for (kind, _), first, size in self._records():
            if kind == GAUGE:
                for place in range(first, first + size):
                    self.cells[place] = 0.0

    def allot(self, kind: bytes, name: str, size: int = 1) -> int:
        """The index of the first cell of a series; where the page is full, of one that nobody reads."""
        known = self._known.get((kind, name))
        if known is not None:
            return known
        text, used = name.encode(), int(self.cells[_USED])
        end = used + _RECORD.size + len(text)
        if end > NAMES or self._next + size > CELLS - 256:
            return CELLS - 256
        first = self._next
        _RECORD.pack_into(self._names, used, kind, len(text), size, first)
        self._names[used + _RECORD.size : end] = text
        self.cells[_USED] = end  # last: whoever reads meanwhile sees the series whole or not at all
        self._next = first + size
        self._known[kind, name] = first
        return first

    def enter(self) -> None:
        self._count(1.0)

    def leave(self) -> None:
        self._count(-1.0)

    def inside(self) -> tuple[float, float]:
        cells = self.cells
        while True:
            since, inside, integral = cells[_SINCE], cells[_INSIDE], cells[_INTEGRAL]
            if since == cells[_SINCE]:  # or else the other process wrote meanwhile
                return inside, integral + inside * (time.monotonic() - since)

    def series(self) -> Iterator[tuple[Series, list[float]]]:
        for series, first, size in self._records():
            yield series, list(self.cells[first : first + size])

    def _count(self, change: float) -> None:
        cells, now = self.cells, time.monotonic()
        cells[_INTEGRAL] += cells[_INSIDE] * (now - cells[_SINCE])
        cells[_INSIDE] += change
        cells[_SINCE] = now

    def _records(self) -> Iterator[tuple[Series, int, int]]:
        at, end = 0, int(self.cells[_USED])
        while at < end:
            kind, length, size, first = _RECORD.unpack_from(self._names, at)
            at += _RECORD.size
            yield (kind, bytes(self._names[at : at + length]).decode()), first, size
            at += length
