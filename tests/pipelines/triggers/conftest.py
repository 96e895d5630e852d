"""Triggers under test, in the world of `tests.pipelines.world`."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fairway.kernel.client.client import Client
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.tables import runs
from fairway.pipelines.triggers.loop import Triggers
from fairway.pipelines.triggers.tables import events
from fairway.pipelines.waking import Bell
from tests.pipelines import world as worlds
from tests.pipelines.api.conftest import cluster
from tests.pipelines.world import WORKLOAD, client, pipeline, records_url, world_at
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = ["WORKLOAD", "client", "cluster", "pipeline", "postgresql_server", "postgresql_url", "records_url"]


@dataclass
class World(worlds.World):
    loop: Triggers = field(init=False)

    def __post_init__(self) -> None:
        self.loop = Triggers(self.context)

    async def trigger(self, **fields: Any) -> Any:
        """A new trigger of a pipeline that takes a text."""
        given = {"runtime_config": {"parameters": {"text": "hi"}}, "pipeline_spec": pipeline("downstream"), **fields}
        return await self.call("POST", "triggers", {"display_name": "then", **given})

    async def look(self) -> None:
        """What the loop does when it is woken."""
        await self.loop.look()

    async def pass_(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.look()

    async def started(self, trigger: Any) -> list[dict[str, Any]]:
        """The runs of a trigger, in the order in which they were started."""
        query = select(runs).join(events, events.c.id == runs.c.id).where(runs.c.trigger_id == trigger["trigger_id"])
        found = await self.context.records.read(
            lambda connection: connection.execute(query.order_by(events.c.number)).mappings().all()
        )
        return [dict(each) for each in found]

    async def texts(self, trigger: Any) -> list[str]:
        return [run["parameters"]["text"] for run in await self.started(trigger)]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Path]:
    """A folder that whoever runs the platform allows triggers to look at."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    yield folder


@pytest.fixture
async def world(client: Client, tmp_path: Path, records_url: str, watched: Path) -> AsyncIterator[World]:
    settings = PipelinesSettings(watched_paths=(str(watched),))
    async with world_at(records_url, client, tmp_path / "artifacts", settings) as here:
        yield World(**vars(here))


@pytest.fixture
async def two_servers(client: Client, tmp_path: Path, postgresql_url: str) -> AsyncIterator[tuple[World, World]]:
    """Two servers on one database, with one clock."""
    place = (postgresql_url, client, tmp_path / "artifacts", PipelinesSettings())
    async with world_at(*place) as one, world_at(*place) as other:
        first = World(**vars(one))
        context = replace(other.context, clock=one.clock, bell=Bell())
        second = World(other.url, context, one.clock, other.session)
        yield first, second
