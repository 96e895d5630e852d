"""A queue of names: each is in it at most once, and worked on by one worker at a time.

A name added while it is being worked on is worked on again afterwards. Failures back off exponentially.
"""

from __future__ import annotations

import asyncio
from collections import deque

from fairway.kernel.clock import Clock, back_off
from fairway.kernel.objects.meta import Key

FIRST_DELAY = 0.05
LONGEST_DELAY = 60.0


class WorkQueue:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()  # in _ready
        self._busy: set[Key] = set()
        self._again: set[Key] = set()  # added while busy
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, tuple[float, asyncio.Task[None]]] = {}
        self._wake: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: Key) -> None:
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._notify()

    def add_after(self, key: Key, seconds: float) -> None:
        """Add later; an earlier moment that is already set is kept."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.now() + seconds
        earlier = self._timers.get(key)
        if earlier:
            if earlier[0] <= due:
                return
            earlier[1].cancel()
        self._timers[key] = (due, asyncio.create_task(self._later(key, seconds)))

    def retry(self, key: Key, *, quick: bool = False) -> None:
        """Add again after a back-off; `quick` is for a lost race, of which the first are over in a moment.

        What looks like a lost race may be one for ever: a name that is somebody else's.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, back_off(FIRST_DELAY / 10 if quick else FIRST_DELAY, failures, LONGEST_DELAY))

    def forget(self, key: Key) -> None:
        self._failures.pop(key, None)

    async def take(self) -> Key:
        while not self._ready:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._wake.append(waiter)
            await waiter
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: Key) -> None:
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _notify(self) -> None:
        while self._wake:
            waiter = self._wake.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _later(self, key: Key, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timers.pop(key, None)
        self.add(key)
