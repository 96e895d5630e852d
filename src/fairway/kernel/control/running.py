"""Run what rooms declare: controllers over shared mirrors, and services, under one task group.

Nothing here knows a room. A service that fails ends the group, and with it the process: a half-dead
platform would be worse than one that says why it stopped. What may go wrong with one object, one request or one turn is
for each loop to survive; what is raised here, nobody thought of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control import controller
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.control.mirror import Mirrors

log = logging.getLogger(__name__)


async def start_controllers(
    controllers: Iterable[Controller], client: Client, clock: Clock, tasks: asyncio.TaskGroup
) -> None:
    """Start them all in `tasks`; return once each has its mirrors filled."""
    world = World(client, clock, Mirrors(client, clock, tasks))
    signals = []
    for one in controllers:
        ready = asyncio.Event()
        tasks.create_task(controller.run(one, world, ready=ready.set), name=one.name)
        signals.append(ready.wait())
    await asyncio.gather(*signals)


async def start_service(
    name: str, run: Callable[[Callable[[], None]], Awaitable[None]], tasks: asyncio.TaskGroup
) -> None:
    """Start one service in `tasks`; return once it is ready. What it raises is raised by the group; which one it was,
    the log says. One that ends without a word would be missed by nobody but its users."""
    ready = asyncio.Event()

    async def guarded() -> None:
        try:
            await run(ready.set)
        except Exception:
            if ready.is_set():
                log.critical(
                    "the service %r failed, and the platform ends with it: `fairway up` goes on from here", name
                )
            raise
        raise RuntimeError(f"the service {name!r} ended by itself")

    tasks.create_task(guarded(), name=name)
    await ready.wait()
