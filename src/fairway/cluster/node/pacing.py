"""How many containers begin at the same time: a few for each core, and the others a moment later.

Sixty processes that begin together on two cores each take thirty times as long, hold the memory of all sixty, and
push each other out of the caches. A container has begun when it has ended, or a moment after its start: what waits,
sleeps or computes for long holds nobody up for more than that.
"""

from __future__ import annotations

import asyncio
import os

from fairway.cluster.node.runtime import ContainerId

_FOR_EACH_CORE = 2
_MOMENT = 0.05
"""Seconds. A thousand containers that stay are started in a few seconds all the same."""


class Pace:
    def __init__(self, most: int | None = None, moment: float = _MOMENT) -> None:
        self._places = asyncio.Semaphore(most or _FOR_EACH_CORE * (os.cpu_count() or 1))
        self._moment = moment
        self._beginning: dict[ContainerId, asyncio.TimerHandle] = {}

    async def begin(self, container: ContainerId) -> None:
        """Wait for a place, and take it for a moment at most."""
        await self._places.acquire()
        timer = asyncio.get_running_loop().call_later(self._moment, self.begun, container)
        self._beginning[container] = timer

    def begun(self, container: ContainerId) -> None:
        """It has ended, or could not be started. To be told of others does no harm."""
        if timer := self._beginning.pop(container, None):
            timer.cancel()
            self._places.release()
