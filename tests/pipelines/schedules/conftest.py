"""Schedules under test, in the world of `tests.pipelines.world`, which begins at noon."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fairway.kernel.client.client import Client
from fairway.pipelines.schedules.loop import Schedules
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.tables import runs
from fairway.pipelines.waking import Bell
from tests.pipelines import world as worlds
from tests.pipelines.api.conftest import cluster
from tests.pipelines.world import WORKLOAD, client, pipeline, records_url, world_at
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = ["WORKLOAD", "client", "cluster", "pipeline", "postgresql_server", "postgresql_url", "records_url"]

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()
EVERY_MINUTE = {"cron_schedule": {"cron": "* * * * *"}}


def clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}"


@dataclass
class World(worlds.World):
    loop: Schedules = field(init=False)

    def __post_init__(self) -> None:
        self.loop = Schedules(self.context)

    def another(self) -> "World":
        """A second server on the same records, or the one after this."""
        context = replace(self.context, bell=Bell(), wake=asyncio.Event())
        return World(self.url, context, self.clock, self.session)

    async def schedule(self, trigger: Any = EVERY_MINUTE, **fields: Any) -> str:
        """A new recurring run of a pipeline that takes a text, enabled."""
        given = {"runtime_config": {"parameters": {"text": "hi"}}, "mode": "ENABLE", **fields}
        if "pipeline_version_reference" not in given:
            given = {"pipeline_spec": pipeline("nightly"), **given}
        made = await self.call("POST", "recurringruns", {"display_name": "nightly", "trigger": trigger, **given})
        return str(made["recurring_run_id"])

    async def get(self, schedule: str) -> Any:
        return await self.call("GET", f"recurringruns/{schedule}")

    async def look(self) -> float:
        """What the loop does when it is woken; gives the moment until which it would sleep."""
        return await self.loop.look()

    async def pass_(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Time passes, and then the loop looks once: as after a time in which no server was there."""
        await self.clock.advance(seconds + 60 * minutes + 3600 * hours + 86400 * days)
        await self.look()

    async def started(self, schedule: str) -> list[dict[str, Any]]:
        """The runs of a schedule in the order of their slots."""
        query = select(runs).where(runs.c.recurring_run_id == schedule).order_by(runs.c.scheduled_at)
        found = await self.context.records.read(lambda connection: connection.execute(query).mappings().all())
        return [dict(each) for each in found]

    async def slots(self, schedule: str) -> list[str]:
        """When they were scheduled, on a clock of UTC."""
        return [clock(run["scheduled_at"]) for run in await self.started(schedule)]

    async def end_all(self, schedule: str) -> None:
        for run in await self.started(schedule):
            await self.end(run["id"])

    async def row(self, schedule: str) -> dict[str, Any]:
        query = select(recurring_runs).where(recurring_runs.c.id == schedule)
        return dict(await self.context.records.read(lambda connection: connection.execute(query).mappings().one()))


@pytest.fixture
async def world(client: Client, tmp_path: Path, records_url: str) -> AsyncIterator[World]:
    async with world_at(records_url, client, tmp_path / "artifacts", PipelinesSettings()) as here:
        await here.clock.advance(NOON - here.clock.now())
        yield World(**vars(here))
