"""The time between being told to end and the closed door: a server answers on until nobody asks it any more.

Gateways and proxies learn a moment later that a server goes, and on a busy machine that moment is long. What is sent on
a connection while it is being closed is lost, and may not be sent again by whoever carries it; so the door closes when
it has been quiet before it, and not at a time. Each answer meanwhile asks its client to go elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

QUIET = 0.5
"""Seconds without a request after which nobody is expected any more."""
LONGEST = 10.0
"""Seconds in all, for those who never learn."""


async def linger(least: float, asked: Callable[[], float]) -> None:
    """`asked` gives when (`time.monotonic`) the last request came; 0 where none has come since the drain began.

    With nothing at `least`, nobody is waited for.
    """
    if least <= 0:
        return
    end = time.monotonic() + max(least, LONGEST)
    left = least
    while left > 0 and time.monotonic() < end:
        await asyncio.sleep(left)
        left = asked() + QUIET - time.monotonic()
