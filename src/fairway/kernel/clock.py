"""Time: the real clock, and one that tests move by hand.

Controllers ask the clock and never the system, so that a test of a ten minute back-off takes no time.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import time
from datetime import UTC, datetime
from typing import Protocol

_MOST_DOUBLINGS = 64


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        # Whole microseconds, which RFC 3339 texts carry: a time that was written out and read again is the same one.
        return time.time_ns() // 1000 / 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """Stands still until `advance`."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move on, waking each sleeper at its own moment and letting it run."""
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)
            for _ in range(10):
                await asyncio.sleep(0)
        self._now = end
        await asyncio.sleep(0)


def back_off(first: float, failures: int, longest: float) -> float:
    """Seconds until what has failed is tried again: `first` after none, doubled by each failure, and `longest` at most.

    For weeks, too: a float holds the doubles of the first thousand failures, and no more.

    >>> [back_off(0.5, failures, 60) for failures in (0, 3, 10_000)]
    [0.5, 4.0, 60]
    """
    return min(first * 2.0 ** min(failures, _MOST_DOUBLINGS), longest)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with whole seconds, as metadata.creationTimestamp has it.

    >>> timestamp(0)
    '1970-01-01T00:00:00Z'
    """
    return _text(int(seconds))


@functools.lru_cache(maxsize=64)
def _text(seconds: int) -> str:
    """Remembered, since a busy server writes the same second a thousand times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp_micro(seconds: float) -> str:
    """RFC 3339 with microseconds (Kubernetes' MicroTime)."""
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_text(whole)[:-1]}.{micro:06d}Z"


def parse(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 text; offsets are understood."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
