"""Bells: what wakes loops that follow the records, so that they need not look often.

The records ring after each write of this server, and each loop has an ear of its own. A ring says nothing but "look":
the truth is in the records. Where other servers write to them too, a loop looks by itself every few seconds; where none
does, it rests until something is due.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import NoReturn

from fairway.kernel.clock import Clock
from fairway.kernel.objects import errors
from fairway.records.database import Database

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Between two looks where other servers may write, and after a failure."""

REST_SECONDS = 300.0
"""Between two looks where nobody else writes and nothing is due."""

_CLOCK_SECONDS = 15.0
"""The clock may be set, and a laptop be closed and opened: a moment that has come is noticed within this time."""


Rest = tuple[float, float]
"""Seconds after which the next look is due at the latest, and the moment at which something else is."""


def rest(records: Database, until: float, *, failed: bool = False) -> Rest:
    """After a look in which all went well, or `failed` at one of several."""
    return LOOK_SECONDS if records.shared or failed else REST_SECONDS, until


async def follow(what: str, look: Callable[[], Awaitable[Rest]], ear: Ear, clock: Clock, pause: float) -> NoReturn:
    """Look again and again, with a pause of `pause` seconds at least. What goes wrong is told and tried again: the
    platform goes on without `what` rather than not at all."""
    while True:
        found: Rest = LOOK_SECONDS, math.inf
        try:
            found = await look()
        except (OSError, errors.ApiError) as failure:
            log.warning("%s cannot be followed, trying again: %s", what, failure)
        except Exception:
            log.exception("%s cannot be followed", what)
        await clock.sleep(pause)
        await ear.wait(clock, *found)


class Ear:
    """Hears every ring, many of them as one. A ring before the wait ends it at once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, clock: Clock, seconds: float, until: float = math.inf) -> None:
        """Until the next ring, or for so many seconds, or until the clock shows a moment."""
        await until_set(self._rung, clock, seconds, until)
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


async def until_set(event: asyncio.Event, clock: Clock, seconds: float, until: float = math.inf) -> None:
    """Until somebody sets it, or for so many seconds, or until the clock shows a moment."""
    waiting = [asyncio.ensure_future(_pass(clock, seconds, until)), asyncio.ensure_future(event.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _pass(clock: Clock, seconds: float, until: float) -> None:
    while (left := min(seconds, until - clock.now())) > 0:
        stretch = min(left, _CLOCK_SECONDS)
        await clock.sleep(stretch)
        seconds -= stretch
