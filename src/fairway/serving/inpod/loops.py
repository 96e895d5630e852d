"""The event loop of a serving process: uvloop where it is installed."""

from __future__ import annotations

import asyncio


def runner() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=_loop_factory())


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  optional
    except ImportError:
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
