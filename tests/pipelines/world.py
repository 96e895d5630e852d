"""The world of what follows the records: real records and artifacts, the API on a small front door, and a clock that
is moved by hand. No tests here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import Connection, select

from fairway.artifacts.store import open_store
from fairway.cluster.api.server import ApiServer
from fairway.kernel.client.client import Client
from fairway.kernel.clock import FakeClock
from fairway.kernel.feature import IDENTITY, Identity
from fairway.kernel.objects.kinds import NAMESPACE
from fairway.pipelines import tasks as engine
from fairway.pipelines.api.context import Context, new_id
from fairway.pipelines.api.routes import routes
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.stores import Stores
from fairway.pipelines.tables import artifacts, task_artifacts, tasks
from fairway.pipelines.waking import Bell
from fairway.records.database import Database
from tests.pipelines.api.conftest import hello

URL = "http://fairway.test:8080"

OWNER, WORKLOAD = "the-owners-token", "a-workloads-token"
WHO = {
    OWNER: Identity("owner", ("system:masters",)),
    WORKLOAD: Identity("system:serviceaccount:team:default", ("system:serviceaccounts",)),
}


def pipeline(name: str) -> dict[str, Any]:
    """A pipeline that takes any text."""
    spec = hello(name)
    spec["root"]["inputDefinitions"]["parameters"]["text"] = {"parameterType": "STRING"}
    return spec


@web.middleware
async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
    """What the front door does, made small."""
    who = WHO.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
    if who is not None:
        request[IDENTITY] = who
    response: web.StreamResponse = await handler(request)
    return response


@dataclass
class World:
    url: str
    context: Context
    clock: FakeClock
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None, *, token: str = OWNER, **query: str) -> Any:
        status, answer = await self.ask(method, path, body, token=token, **query)
        assert status == 200, answer
        return answer

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str = OWNER, **query: str
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.url}/apis/v2beta1/{path}"
        async with self.session.request(method, url, json=body, params=query, headers=headers) as response:
            return response.status, await response.json()

    async def run(self, name: str = "upstream", **fields: Any) -> str:
        """A new run, which goes on until `end`."""
        given = {"pipeline_spec": pipeline(name), "runtime_config": {"parameters": {"text": "hi"}}, **fields}
        return str((await self.call("POST", "runs", {"display_name": name, **given}))["run_id"])

    async def end(self, run_id: str, state: str = "SUCCEEDED", **how: Any) -> None:
        """What the engine writes when a run ends."""
        now, message = self.clock.now(), how.get("message", "")
        await self.context.records.write(
            lambda connection: engine.finish(connection, run_id, state, now, message=message, results={})
        )

    async def make(self, run_id: str, name: str, **columns: Any) -> str:
        """An artifact, as the engine registers one that a step made."""
        now, task, artifact = self.clock.now(), new_id(), columns.pop("id", None) or new_id()
        cached_from, output = columns.pop("cached_from", ""), columns.pop("output", True)
        made = {
            "id": artifact, "name": name, "type": "system.Model", "uri": f"file:///made/{artifact}", "created_at": now,
            "metadata": {}, **columns,
        }  # fmt: skip

        def write(connection: Connection) -> None:
            step = {"id": task, "run_id": run_id, "type": "RUNTIME", "state": "SUCCEEDED", "created_at": now}
            connection.execute(
                tasks.insert().values(**step, scope_path=task, cached_from=cached_from, inputs={}, outputs={})
            )
            if connection.execute(select(artifacts.c.id).where(artifacts.c.id == artifact)).first() is None:
                connection.execute(artifacts.insert().values(**made))
            link = {"task_id": task, "output": output, "key": name, "position": 0, "run_id": run_id}
            connection.execute(task_artifacts.insert().values(**link, artifact_id=artifact, type="OUTPUT"))

        await self.context.records.write(write)
        return artifact


@asynccontextmanager
async def world_at(
    url: str, client: Client, folder: Path, settings: PipelinesSettings, stores: Stores | None = None
) -> AsyncIterator[World]:
    """A server with its records at `url`."""
    bell = Bell()
    records = await asyncio.to_thread(Database.open, url, written=bell.ring)
    clock = FakeClock()
    kept = open_store(folder.as_uri())
    context = Context(client, clock, records, kept, settings, stores or Stores(), bell=bell, public_url=URL)
    app = web.Application(middlewares=[identify], client_max_size=64 << 20)
    for route in routes(context):
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    session = aiohttp.ClientSession()
    try:
        yield World(f"http://127.0.0.1:{runner.addresses[0][1]}", context, clock, session)
    finally:
        await session.close()
        await runner.cleanup()
        await records.close()


@pytest.fixture
def records_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/records.db"


@pytest.fixture
async def client(cluster: tuple[ApiServer, Client]) -> Client:
    _, client = cluster
    await client.create(NAMESPACE, NAMESPACE.new("team"))
    return client
