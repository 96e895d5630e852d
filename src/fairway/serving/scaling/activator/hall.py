"""Where the requests of one service wait for a pod with room. Bounded: beyond it a request is refused at once.

Which pods there are is told from outside. No clock and no network: whoever waits here brings a deadline of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable

MOST_WAITING = 10_000


class NoRoom(Exception):
    """As many wait as may wait."""


class CannotWake(Exception):
    """The service does not start; the text says why."""


class Hall:
    """`limit` is how many requests a pod takes at once; 0 where it has no limit of its own."""

    def __init__(
        self, limit: int = 0, *, most_waiting: int = MOST_WAITING, chance: random.Random | None = None
    ) -> None:
        self.limit = limit
        self._most = most_waiting
        self._chance = chance or random.Random()  # noqa: S311  a choice of pods is no secret
        self._there: dict[str, None] = {}  # the pods that answer, in the order in which they were told
        self._inside: dict[str, int] = {}  # also of pods that are not there now: they may be again before these leave
        self._waiting: deque[asyncio.Future[str]] = deque()
        self._turn = 0
        self._broken = ""

    @property
    def waiting(self) -> int:
        return sum(not one.done() for one in self._waiting)

    @property
    def empty(self) -> bool:
        """There is no pod at all."""
        return not self._there

    async def enter(self) -> str:
        """The address of a pod that takes the request; `leave` it afterwards. Raises NoRoom and CannotWake."""
        if self._broken and self.empty:
            raise CannotWake(self._broken)
        if not self._waiting and (pod := self._choose()):
            return self._take(pod)
        if self.waiting >= self._most:
            raise NoRoom
        turn: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self.leave(turn.result())
            raise

    def leave(self, pod: str) -> None:
        left = self._inside[pod] - 1
        if left:
            self._inside[pod] = left
        else:
            del self._inside[pod]
        self._admit()

    def told(self, pods: Iterable[str], broken: str = "") -> None:
        """These pods answer now, and no others. `broken` says why none will, where that is known."""
        self._there = dict.fromkeys(pods)
        self._broken = broken
        self._admit()
        while broken and self.empty and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(CannotWake(broken))

    def without(self, pod: str) -> None:
        """This one did not answer; it is left out until it is told of again."""
        self._there.pop(pod, None)

    def _admit(self) -> None:
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
            elif pod := self._choose():
                self._waiting.popleft().set_result(self._take(pod))
            else:
                return

    def _take(self, pod: str) -> str:
        self._inside[pod] = self._inside.get(pod, 0) + 1
        return pod

    def _choose(self) -> str | None:
        """As Knative does: without a limit the emptier of two at random, with a small one the first, else in turn."""
        free = [pod for pod in self._there if not self.limit or self._inside.get(pod, 0) < self.limit]
        if not free:
            return None
        if not self.limit:
            return min(self._chance.sample(free, min(2, len(free))), key=lambda pod: self._inside.get(pod, 0))
        if self.limit <= 3:
            return free[0]
        self._turn += 1
        return free[self._turn % len(free)]
