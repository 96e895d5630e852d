"""Notices under test, in the world of `tests.pipelines.world`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from fairway.kernel.client.client import Client
from fairway.pipelines.notices import sending
from fairway.pipelines.notices.loop import Notices
from fairway.pipelines.notices.tables import deliveries
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.tables import approvals, runs, tasks
from fairway.pipelines.waking import Bell
from tests.pipelines import world as worlds
from tests.pipelines.api.conftest import cluster
from tests.pipelines.notices.receiver import Receiver, receiving
from tests.pipelines.world import client, records_url, world_at
from tests.records.conftest import postgresql_server, postgresql_url

__all__ = ["client", "cluster", "postgresql_server", "postgresql_url", "records_url"]


@dataclass
class World(worlds.World):
    loop: Notices = field(init=False)

    def __post_init__(self) -> None:
        self.loop = Notices(self.context)

    async def rule(self, *events: str, **fields: Any) -> Any:
        given = {"display_name": "tell", "events": list(events or ("FAILED",)), **fields}
        return await self.call("POST", "notices", given)

    async def tell(self) -> None:
        """What the loop does when it is woken: look, and send what is due."""
        await self.loop.look()
        now = self.clock.now()
        for rule in await self.context.records.read(lambda connection: sending.due(connection, now)):
            await self.loop.deliver(rule)

    async def pass_(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.tell()

    async def late(self, run_id: str, due: float) -> None:
        """What is written when a run is noticed to be late."""
        now = self.clock.now()
        told = runs.update().where(runs.c.id == run_id).values(late_at=due, told_late_at=now)
        await self.context.records.write(lambda connection: connection.execute(told))

    async def ask_for(self, run_id: str, question: str, state: str = "WAITING") -> str:
        """What is written when a step waits for an approval."""
        now, task = self.clock.now(), worlds.new_id()

        def write(connection: Connection) -> None:
            step = {"id": task, "run_id": run_id, "name": "deploy", "type": "RUNTIME", "state": "PENDING"}
            connection.execute(tasks.insert().values(**step, created_at=now, scope_path=task, inputs={}, outputs={}))
            asked = {"task_id": task, "run_id": run_id, "state": state, "message": question, "asked_at": now}
            connection.execute(approvals.insert().values(**asked))

        await self.context.records.write(write)
        return task

    async def deliveries(self, rule: Any) -> list[dict[str, Any]]:
        query = select(deliveries).where(deliveries.c.rule_id == rule["notice_id"]).order_by(deliveries.c.created_at)
        found = await self.context.records.read(lambda connection: connection.execute(query).mappings().all())
        return [dict(each) for each in found]


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start(client: Client, tmp_path: Path, records_url: str) -> AsyncIterator[Start]:
    """Starts the server with these settings; a second time, it is one that was stopped and is back."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> World:
            place = (records_url, client, tmp_path / "artifacts", PipelinesSettings(**settings))
            return World(**vars(await stack.enter_async_context(world_at(*place))))

        yield start


@pytest.fixture
async def world(start: Start) -> World:
    return await start()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
async def two_servers(client: Client, tmp_path: Path, postgresql_url: str) -> AsyncIterator[tuple[World, World]]:
    """Two servers on one database, with one clock."""
    place = (postgresql_url, client, tmp_path / "artifacts", PipelinesSettings())
    async with world_at(*place) as one, world_at(*place) as other:
        context = replace(other.context, clock=one.clock, bell=Bell())
        yield World(**vars(one)), World(other.url, context, one.clock, other.session)
