"""Threads that predict, so that the event loop stays free to answer health and to take requests.

The queue before them is bounded: beyond it a request is refused at once with 503, because a request that waits
longer than its client is work for nobody. Work whose client has gone is dropped before it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from fairway.serving.inpod.messages import Answer, Refusal

Job = Callable[[], Answer]
"""Gives an answer whatever happens; it raises nothing."""

_GONE = Refusal(503, "The client has gone.").answer()


class Workers:
    def __init__(self, threads: int, most_waiting: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._most = threads + most_waiting
        self._queue: SimpleQueue[tuple[Job, Callable[[Answer], None], Callable[[], bool]]] = SimpleQueue()
        self._inside = 0  # queued or at work; touched by the event loop only
        for number in range(threads):
            # Daemons, so that a prediction without end does not keep the process from ending after its grace.
            Thread(target=self._work, name=f"predict-{number}", daemon=True).start()

    @property
    def inside(self) -> int:
        """Requests that wait or are at work."""
        return self._inside

    def submit(self, job: Job, respond: Callable[[Answer], None], alive: Callable[[], bool]) -> None:
        """Run `job` in a thread, then `respond` on the event loop. Raises Refusal where the queue is full."""
        if self._inside >= self._most:
            raise Refusal(503, "Too many requests are waiting for this model; try again in a moment.", Retry_After="1")
        self._inside += 1
        self._queue.put((job, respond, alive))

    def _work(self) -> None:
        while True:
            job, respond, alive = self._queue.get()
            answer = job() if alive() else _GONE
            self._loop.call_soon_threadsafe(self._finish, respond, answer)

    def _finish(self, respond: Callable[[Answer], None], answer: Answer) -> None:
        self._inside -= 1
        respond(answer)
