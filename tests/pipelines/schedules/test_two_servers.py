"""Several servers on one database, and servers that die at any moment: no slot is started twice, none is lost."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from fairway.kernel.client.client import Client
from fairway.pipelines.schedules.tables import backfills
from fairway.pipelines.settings import PipelinesSettings
from tests.pipelines.schedules.conftest import NOON, World, world_at

EVERY_TEN_SECONDS = {"cron_schedule": {"cron": "*/10 * * * * *"}}
SEEDS = range(4)


@pytest.fixture(params=["sqlite", "postgresql"])
def records_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
async def servers(client: Client, tmp_path: Path, records_url: str) -> AsyncIterator[tuple[World, World]]:
    """Two servers with connections of their own, on one clock."""
    place = (records_url, client, tmp_path / "artifacts", PipelinesSettings())
    async with world_at(*place) as one, world_at(*place) as other:
        await one.clock.advance(NOON - one.clock.now())
        first, second = World(**vars(one)), World(**vars(other))
        second.clock = one.clock
        yield first, second.another()


async def test_two_servers_that_look_at_once_start_each_slot_once(servers: tuple[World, World]) -> None:
    one, other = servers
    schedules = [await one.schedule(EVERY_TEN_SECONDS, max_concurrency=limit) for limit in (1, 2, 10)]
    for _ in range(6):
        await one.clock.advance(20)
        await asyncio.gather(one.look(), other.look(), one.another().look())
        for schedule, limit in zip(schedules, (1, 2, 10), strict=True):
            going = [run for run in await one.started(schedule) if run["state"] == "PENDING"]
            assert len(going) <= limit
        for schedule in schedules:
            await one.end_all(schedule)
    while await undone(one, *schedules):
        await asyncio.gather(one.look(), other.look())
        for schedule in schedules:
            await one.end_all(schedule)
    for schedule in schedules:
        found = [run["scheduled_at"] for run in await one.started(schedule)]
        assert found == [NOON + 10 * number for number in range(1, 13)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_servers_that_die_at_any_moment_lose_nothing_and_double_nothing(
    servers: tuple[World, World], seed: int
) -> None:
    """Loops are cut off between any two steps, also while they write, and others go on where they were."""
    chance = random.Random(seed)
    one, other = servers
    every = await one.schedule(EVERY_TEN_SECONDS, max_concurrency=3, runtime_config=numbered())
    last = await one.schedule(EVERY_TEN_SECONDS, no_catchup=True, max_concurrency=10)
    back = await one.schedule({"cron_schedule": {"cron": "@hourly"}}, mode="DISABLE", runtime_config=numbered())
    morning = {"start_time": "2024-05-01T00:00:00Z", "end_time": "2024-05-01T11:00:00Z", "max_concurrency": 4}
    await one.call("POST", f"recurringruns/{back}:backfill", morning)
    for _ in range(25):
        await one.clock.advance(chance.choice([0, 3, 10, 40]))
        await asyncio.gather(*(cut_off(server.another(), chance) for server in (one, other)))
        for schedule in (every, last, back):
            for run in await one.started(schedule):
                if chance.random() < 0.5:
                    await one.end(run["id"])
    while await undone(one, every, last) or await left(one):
        await one.look()
        for schedule in (every, last, back):
            await one.end_all(schedule)
    steps = int((one.clock.now() - NOON) // 10)
    assert [run["scheduled_at"] for run in await one.started(every)] == [NOON + 10 * n for n in range(1, steps + 1)]
    assert [run["scheduled_at"] for run in await one.started(back)] == [NOON - 3600 * n for n in range(12, 0, -1)]
    for schedule in (every, back):
        started = await one.started(schedule)
        numbers = sorted(int(run["parameters"]["text"]) for run in started)
        assert numbers == list(range(1, len(started) + 1))
    assert len({run["scheduled_at"] for run in await one.started(last)}) == len(await one.started(last))


async def undone(server: World, *schedules: str) -> bool:
    return any([(await server.row(schedule))["next_at"] <= server.clock.now() for schedule in schedules])


async def left(server: World) -> int:
    """Backfills that are not done."""
    query = select(func.count()).select_from(backfills)
    return await server.context.records.read(lambda connection: int(connection.execute(query).scalar_one()))


def numbered() -> dict[str, dict[str, str]]:
    return {"parameters": {"text": "[[Index]]"}}


async def cut_off(server: World, chance: random.Random) -> None:
    """Let the loop look, and end it after so many turns of the event loop, as a kill would."""
    looking = asyncio.ensure_future(server.look())
    for _ in range(chance.randrange(60)):
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
        if looking.done():
            break
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
