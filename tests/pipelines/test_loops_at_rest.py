"""The loops that follow the records ask them nothing while nobody writes and nothing is due, and miss nothing by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.clock import FakeClock
from fairway.pipelines.notices.loop import Notices
from fairway.pipelines.schedules.loop import Schedules
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.triggers.loop import Triggers
from fairway.pipelines.waking import LOOK_SECONDS, REST_SECONDS
from tests.pipelines.api.conftest import cluster
from tests.pipelines.world import World, client, pipeline, world_at
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = ["client", "cluster", "postgresql_server", "postgresql_url"]

Loop = type[Schedules] | type[Triggers] | type[Notices]
LOOPS = pytest.mark.parametrize("loop", [Schedules, Triggers, Notices])


class Counted:
    """How often a loop has asked the records something."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads, read = 0, world.context.records.read

        async def counting(work: Callable[..., Any]) -> Any:
            self.reads += 1
            return await read(work)

        monkeypatch.setattr(world.context.records, "read", counting)


@asynccontextmanager
async def running(loop: Loop, world: World) -> AsyncIterator[None]:
    task = asyncio.ensure_future(loop(world.context).run(lambda: None))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def sleeps_long(clock: FakeClock) -> bool:
    """Longer than the pause between two looks."""
    return any(at > clock.now() + 1 for at, _, waiter in clock._sleepers if not waiter.done())


async def rested(world: World, counted: Counted) -> None:
    """Until the loop has done all that there was, and waits."""
    async with asyncio.timeout(60):
        seen = -1
        while not (seen == counted.reads > 0 and sleeps_long(world.clock)):
            seen = counted.reads
            await world.clock.advance(0.3)
            await asyncio.sleep(0.02)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


@LOOPS
async def test_a_loop_rests_until_somebody_writes(
    loop: Loop, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_at(f"sqlite:///{tmp_path / 'r.db'}", client, tmp_path / "a", PipelinesSettings()) as world:
        counted = Counted(world, monkeypatch)
        async with running(loop, world):
            await rested(world, counted)
            before = counted.reads
            await world.clock.advance(REST_SECONDS - 60)
            await asyncio.sleep(0.02)
            assert counted.reads == before
            await world.context.records.write(lambda connection: None)
            await until(lambda: counted.reads > before)


@LOOPS
async def test_where_other_servers_write_too_a_loop_looks_every_few_seconds(
    loop: Loop, client: Client, tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world_at(postgresql_url, client, tmp_path / "a", PipelinesSettings()) as world:
        counted = Counted(world, monkeypatch)
        async with running(loop, world):
            await rested(world, counted)
            before = counted.reads
            await world.clock.advance(LOOK_SECONDS)
            await until(lambda: counted.reads > before)


async def test_a_slot_wakes_a_loop_that_rests(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world_at(f"sqlite:///{tmp_path / 'r.db'}", client, tmp_path / "a", PipelinesSettings()) as world:
        counted = Counted(world, monkeypatch)
        async with running(Schedules, world):
            asked = {"pipeline_spec": pipeline("nightly"), "runtime_config": {"parameters": {"text": "hi"}}}
            trigger = {"periodic_schedule": {"interval_second": 200}}
            await world.call(
                "POST", "recurringruns", {"display_name": "nightly", "mode": "ENABLE", "trigger": trigger, **asked}
            )
            await rested(world, counted)
            before = counted.reads
            await world.clock.advance(150)
            await asyncio.sleep(0.02)
            assert counted.reads == before
            await world.clock.advance(50)
            await rested(world, counted)
            assert len((await world.call("GET", "runs"))["runs"]) == 1
