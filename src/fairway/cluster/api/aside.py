"""Work that may take long, done beside the event loop, so that other requests go on meanwhile.

What rules, policies and conditions cost shows while they run. They begin on the loop with an allowance (`AT_ONCE`),
which nearly all of them never use up; those that do begin once more here. There is one thread, so that many dear
requests take turns among themselves and not with everybody else.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 20_000
"""What may be spent on the event loop, in units of CEL's cost: a few milliseconds."""
_SWITCH = 0.001
"""After how many seconds the thread lets the loop go on; Python's own choice of five is felt in every answer."""


class Aside:
    """Made with the server, closed with it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "aside")

    async def run(self, work: Callable[[], T]) -> T:
        """What the work gives. It changes nothing that others see."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _patient, work)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _patient(work: Callable[[], T]) -> T:
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(_SWITCH, before))
    try:
        return work()
    finally:
        sys.setswitchinterval(before)
