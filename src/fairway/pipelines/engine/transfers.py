"""Work for runs that takes its time: bytes that are brought to a step, taken from it, or read through. No run stands
meanwhile.

Each has a name, that of its attempt's pod where it is for one. What comes of it is told at the run's next reconcile,
which it asks for. All of it is lost with the process, and begun again by whoever opens the run next: every transfer may
be done twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fairway.kernel.feature import Ready
from fairway.kernel.objects.meta import Key

log = logging.getLogger(__name__)

AT_ONCE, READ_AT_ONCE = 8, 2
"""Of all runs together; each has parts of its own that are on their way side by side. What is only read keeps a
processor busy, and none of the others waiting."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a transfer: `settle` is called with it, in the run's own reconcile."""

    pod: str
    result: Any
    failure: Exception | None


@dataclass(frozen=True, slots=True)
class _Order:
    key: Key
    pod: str
    work: Callable[[], Awaitable[Any]]
    reads: bool


class Transfers:
    """`run` is the service whose tasks they are."""

    def __init__(self, nudge: Callable[[Key], None]) -> None:
        self._nudge = nudge
        self._orders: asyncio.Queue[_Order] = asyncio.Queue()
        self._open: dict[Key, dict[str, _Order]] = defaultdict(dict)
        self._tasks: dict[Key, dict[str, asyncio.Task[None]]] = defaultdict(dict)
        self._arrived: dict[Key, list[Arrival]] = defaultdict(list)
        self._slots, self._readers = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(READ_AT_ONCE)

    async def run(self, ready: Ready) -> None:
        ready()
        async with asyncio.TaskGroup() as tasks:
            while True:
                order = await self._orders.get()
                if self._open[order.key].get(order.pod) is order:
                    task = tasks.create_task(self._carry_out(order), name=f"transfer-{order.pod}")
                    self._tasks[order.key][order.pod] = task

    def begin(self, key: Key, pod: str, work: Callable[[], Awaitable[Any]], *, reads: bool = False) -> None:
        """Without effect where one for the pod is under way."""
        if pod not in self._open[key]:
            self._open[key][pod] = order = _Order(key, pod, work, reads)
            self._orders.put_nowait(order)

    def arrived(self, key: Key) -> list[Arrival]:
        """Those that are over since the last call."""
        return self._arrived.pop(key, [])

    def forget(self, key: Key) -> None:
        """The run is over, gone, or opened anew."""
        self._open.pop(key, None)
        self._arrived.pop(key, None)
        for task in self._tasks.pop(key, {}).values():
            task.cancel()

    async def _carry_out(self, order: _Order) -> None:
        async with self._readers if order.reads else self._slots:
            try:
                arrival = Arrival(order.pod, await order.work(), None)
            except Exception as failure:
                log.debug("a transfer for %s failed", order.pod, exc_info=True)
                arrival = Arrival(order.pod, None, failure)
        if self._open.get(order.key, {}).get(order.pod) is order:
            del self._open[order.key][order.pod]
            self._tasks[order.key].pop(order.pod, None)
            self._arrived[order.key].append(arrival)
            self._nudge(order.key)
