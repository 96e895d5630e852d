"""How many requests are inside at once, and how many may wait; what the autoscaler reads is counted here.

Beyond both a request is refused at once, because one that waits longer than its client is work for nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fairway.serving.inpod.messages import Refusal


class Pass:
    """One request that came to the gate: it has `entered`, or waits and is told by `go` once it has."""

    __slots__ = ("entered", "go", "left")

    def __init__(self, go: Callable[[], None]) -> None:
        self.go = go
        self.entered = self.left = False


class Gate:
    def __init__(self, most: int, most_waiting: int, clock: Callable[[], float]) -> None:
        """`most` 0 lets everybody in."""
        self._most, self._most_waiting, self._clock = most, most_waiting, clock
        self._waiting: deque[Pass] = deque()
        self._working = self._known = 0
        self._seconds, self._since = 0.0, clock()
        self.total = self.refused = 0

    @property
    def inside(self) -> int:
        """Requests that wait or are at work."""
        return self._known

    @property
    def waiting(self) -> int:
        return self._known - self._working

    @property
    def seconds(self) -> float:
        """The requests inside, summed up over time: its growth in a second is the average concurrency."""
        self._count()
        return self._seconds

    def come(self, go: Callable[[], None]) -> Pass:
        """Raises Refusal where there is no room even to wait."""
        self.total += 1
        if self._most and self._working >= self._most and self.waiting >= self._most_waiting:
            self.refused += 1
            raise Refusal(503, "Too many requests wait for this container; try again in a moment.", Retry_After="1")
        self._count()
        self._known += 1
        ticket = Pass(go)
        if self._most and self._working >= self._most:
            self._waiting.append(ticket)
        else:
            self._enter(ticket)
        return ticket

    def leave(self, ticket: Pass) -> None:
        """Called once or more, entered or not."""
        if ticket.left:
            return
        ticket.left = True
        self._count()
        self._known -= 1
        if not ticket.entered:
            self._waiting.remove(ticket)
            return
        self._working -= 1
        if self._waiting:
            following = self._waiting.popleft()
            self._enter(following)
            following.go()

    def _enter(self, ticket: Pass) -> None:
        ticket.entered = True
        self._working += 1

    def _count(self) -> None:
        now = self._clock()
        self._seconds += self._known * (now - self._since)
        self._since = now
