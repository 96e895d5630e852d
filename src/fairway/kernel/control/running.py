"""Run what rooms declare: controllers over shared mirrors, and services, under one task group.

Nothing here knows a room. A service that fails ends the group, and with it the process: a half-dead
platform would be worse than one that says why it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control import controller
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.control.mirror import Mirrors


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
    """Start one service in `tasks`; return once it is ready. What it raises before that is raised by the group."""
    ready = asyncio.Event()

    async def guarded() -> None:
        await run(ready.set)

    tasks.create_task(guarded(), name=name)
    await ready.wait()
