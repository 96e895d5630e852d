"""Bells: what wakes loops that follow the records, so that they need not look often.

Whoever has written something that a loop may wait for rings; each loop has an ear of its own, and looks by itself now
and then, for what other servers wrote. A ring says nothing but "look": the truth is in the records.
"""

from __future__ import annotations

import asyncio

from fairway.kernel.clock import Clock


class Ear:
    """Hears every ring, many of them as one. A ring before the wait ends it at once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Until the next ring, or for so many seconds."""
        waiting = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(self._rung.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        self._rung.clear()


class Bell:
    def __init__(self) -> None:
        self._ears: list[Ear] = []

    def ear(self) -> Ear:
        new = Ear()
        self._ears.append(new)
        return new

    def ring(self) -> None:
        for ear in self._ears:
            ear.ring()
