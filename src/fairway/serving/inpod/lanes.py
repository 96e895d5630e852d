"""A model's lane: its threads, and the queue before them, so that the event loop stays free to answer health.

Each model has a lane of its own, so that a slow one keeps no other waiting. The queue is bounded: beyond it a request
is refused at once, because a request that waits longer than its client is work for nobody. What has piled up while a
thread was busy is handed over together (`batching` lays it together). Work whose client has gone is dropped.

Everything but `_work` runs on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread

from fairway.serving.inpod.batching import failed
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.work import Ticket

Finished = Callable[[Sequence[Ticket]], None]
Perform = Callable[[Sequence[Ticket], Finished], None]
"""Gives every ticket its outcome and says so, in a thread. It raises nothing."""

_QUICK = 0.002
"""Seconds. While a model is quicker, a second thread would only quarrel with the first over the interpreter; what waits
is laid together instead. What has waited for this long gets a thread of its own if there is one."""


@dataclass(frozen=True)
class Limits:
    """`latency` is how long the first of a batch waits for others although a thread is free; 0: not at all. `strict`:
    somebody asked for that many at once and no more, whatever it is that they wait for."""

    threads: int
    waiting: int
    batch: int = 1
    latency: float = 0.0
    strict: bool = False

    def apart(self) -> Limits:
        """For requests that cannot be laid together."""
        return replace(self, batch=1, latency=0.0)

    def one_at_a_time(self) -> Limits:
        return replace(self, threads=1, waiting=self.waiting + self.threads - 1)


class Lane:
    def __init__(self, name: str, perform: Perform, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._name, self._perform, self._limits, self._loop = name, perform, limits, loop
        self._waiting: deque[Ticket] = deque()
        self._handed: SimpleQueue[Sequence[Ticket] | None] = SimpleQueue()
        self._threads = 0
        self._busy = 0
        self._inside = 0
        self._usual = 0.0  # seconds of a hand-over, smoothed
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """Requests that wait or are at work."""
        return self._inside

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def submit(self, ticket: Ticket) -> None:
        """Raises Refusal where the queue is full."""
        if self._inside >= self._limits.threads + self._limits.waiting:
            raise Refusal(503, "Too many requests are waiting for this model; try again in a moment.", Retry_After="1")
        self._inside += 1
        self._empty.clear()
        ticket.since = time.perf_counter()
        self._waiting.append(ticket)
        self._go()

    async def close(self) -> None:
        """End the threads once they have done what is inside."""
        await self._empty.wait()
        self._closed = True
        for _ in range(self._threads):
            self._handed.put(None)

    def _go(self) -> None:
        """Hand over what should go now; look again later for the rest."""
        while self._waiting and self._busy < self._limits.threads:
            patience = self._patience()
            if patience > 0:
                self._look_again(patience)
                return
            self._hand_over()

    def _patience(self) -> float:
        """Seconds that the first in the queue still waits although a thread is free."""
        if self._busy == 0 and (not self._limits.latency or len(self._waiting) >= self._limits.batch):
            return 0.0
        if self._busy and self._usual > _QUICK:
            return 0.0
        longest = max(self._limits.latency, _QUICK if self._busy else 0.0)
        return self._waiting[0].since + longest - time.perf_counter()

    def _look_again(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._looked_again)

    def _looked_again(self) -> None:
        self._timer = None
        self._go()

    def _hand_over(self) -> None:
        tickets = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._limits.batch))]
        self._busy += 1
        if self._busy > self._threads:
            self._threads += 1
            # A daemon, so that a prediction without end does not keep the process from ending after its grace.
            Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._handed.put(tickets)

    def _work(self) -> None:
        while (tickets := self._handed.get()) is not None:
            begin = time.perf_counter()
            rest = self._performed(tickets)
            with suppress(RuntimeError):  # the loop is closed: the process ends
                self._loop.call_soon_threadsafe(self._free, rest, time.perf_counter() - begin)

    def _performed(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """The tickets of the last batch are told together with the thread's being free: one waking of the loop."""
        last: list[Ticket] = []
        told: set[int] = set()

        def finished(done: Sequence[Ticket]) -> None:
            nonlocal last
            if last:
                self._loop.call_soon_threadsafe(self._tell, last)
            last = list(done)
            told.update(map(id, last))

        try:
            self._perform(tickets, finished)
        except BaseException as broken:  # what a model may do to its thread must not take it away
            for ticket in tickets:
                if id(ticket) not in told:
                    ticket.outcome = failed(broken)
                    last.append(ticket)
        return last

    def _free(self, told: Sequence[Ticket], seconds: float) -> None:
        self._busy -= 1
        self._usual = seconds if not self._usual else 0.8 * self._usual + 0.2 * seconds
        self._go()  # first, so that the thread works while the answers are sent
        self._tell(told)

    def _tell(self, tickets: Sequence[Ticket]) -> None:
        self._inside -= len(tickets)
        if not self._inside:
            self._empty.set()
        for ticket in tickets:
            if ticket.outcome is not None:
                ticket.done(ticket.outcome)
