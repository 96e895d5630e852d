"""The API under test: the real cluster API in process, real records and artifacts, and a small front door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import kfp
import pytest
from aiohttp import web

from fairway.artifacts.store import Artifacts, open_store
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import IDENTITY, Identity
from fairway.kernel.objects.conditions import is_true
from fairway.kernel.objects.kinds import CRD, NAMESPACE
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.routes import routes
from fairway.pipelines.api.starting import Starting
from fairway.pipelines.kinds import RUN, RUN_KIND
from fairway.records.database import Database

TOKEN = "a-token-of-this-test"


@dataclass
class Server:
    url: str
    api: ApiServer
    client: Client
    records: Database
    artifacts: Artifacts
    session: aiohttp.ClientSession
    context: Context

    @asynccontextmanager
    async def starting_again(self) -> AsyncIterator[None]:
        """A second start of the loop that gives records their objects."""
        ready = asyncio.Event()
        loop = asyncio.ensure_future(Starting(replace(self.context, wake=asyncio.Event())).run(ready.set))
        await ready.wait()
        try:
            yield
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    def act_as(self, user: str) -> None:
        """From now on the calls are somebody else's."""
        self.session.headers["X-User"] = user

    def kfp(self) -> kfp.Client:
        return kfp.Client(host=self.url, existing_token=TOKEN)

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        url = f"{self.url}{path}" if path.startswith("/") else f"{self.url}/apis/v2beta1/{path}"
        async with self.session.request(method, url, json=body, params=query) as response:
            return response.status, await response.json()

    async def get(self, path: str, **query: str) -> Any:
        status, body = await self.call("GET", path, **query)
        assert status == 200, body
        return body


@web.middleware
async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
    """What the front door does, made small."""
    if request.headers.get("Authorization") == f"Bearer {TOKEN}":
        user = request.headers.get("X-User")
        request[IDENTITY] = Identity(user) if user else Identity("tester", ("system:masters",))
    response: web.StreamResponse = await handler(request)
    return response


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[tuple[ApiServer, Client]]:
    """The cluster's API, with the namespace default and our kind."""
    store = MemoryStore()
    api = ApiServer(store, clock=SystemClock(), issuer=Issuer.load(tmp_path))
    serving = asyncio.ensure_future(api.run(lambda: None))
    client = Client(api.transport(Identity("tester", ("system:masters", "system:authenticated"))))
    try:
        await client.create(CRD, RUN_KIND.definition())
        await client.wait(CRD, RUN.resource, None, lambda crd: crd is not None and is_true(crd, "Established"))
        await client.wait(NAMESPACE, "default", None, lambda found: found is not None)
        yield api, client
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await store.close()


@pytest.fixture
def records_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/records.db"


@pytest.fixture
async def server(
    cluster: tuple[ApiServer, Client], tmp_path: Path, records_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    monkeypatch.setenv("HOME", str(tmp_path))  # kfp.Client reads and writes ~/.config/kfp
    records = await asyncio.to_thread(Database.open, records_url)
    artifacts = open_store((tmp_path / "artifacts").as_uri())
    api, client = cluster
    context = Context(client, SystemClock(), records, artifacts)
    ready = asyncio.Event()
    starting = asyncio.ensure_future(Starting(context).run(ready.set))
    app = web.Application(middlewares=[identify])
    for route in routes(context):
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await ready.wait()
    session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        yield Server(f"http://127.0.0.1:{runner.addresses[0][1]}", api, client, records, artifacts, session, context)
    finally:
        await session.close()
        await runner.cleanup()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await records.close()


def hello(name: str = "hello", **changes: Any) -> dict[str, Any]:
    """A pipeline of one step with one required and one optional parameter, as the SDK compiles it."""
    return {
        "components": {
            "comp-say": {
                "executorLabel": "exec-say",
                "inputDefinitions": {"parameters": {"text": {"parameterType": "STRING"}}},
            }
        },
        "deploymentSpec": {
            "executors": {
                "exec-say": {"container": {"image": "busybox", "command": ["echo", "{{$.inputs.parameters['text']}}"]}}
            }
        },
        "pipelineInfo": {"name": name},
        "root": {
            "dag": {
                "tasks": {
                    "say": {
                        "cachingOptions": {},
                        "componentRef": {"name": "comp-say"},
                        "inputs": {"parameters": {"text": {"componentInputParameter": "text"}}},
                        "taskInfo": {"name": "say"},
                    }
                }
            },
            "inputDefinitions": {
                "parameters": {
                    "text": {"parameterType": "STRING", "literals": ["hi", "bye"]},
                    "times": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1.0, "isOptional": True},
                }
            },
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        **changes,
    }
