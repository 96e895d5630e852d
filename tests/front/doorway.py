"""A front door on a loopback port, before an API server that knows three callers and one pod."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from fairway.front.build import Front, FrontConfig
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import JSON, WatchEvent
from fairway.kernel.clock import FakeClock
from fairway.kernel.feature import IDENTITY, Feature, Page, Parts, Platform, Route
from fairway.kernel.objects import errors

CALLERS = {
    "owner-token": {"username": "ada", "groups": ["system:masters", "system:authenticated"]},
    "step-token": {"username": "system:serviceaccount:default:default", "groups": ["system:serviceaccounts"]},
    "stranger-token": {"username": "eve", "groups": ["system:authenticated"]},
}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default", "resourceVersion": "7"}}


class ApiServer:
    """Stands where a transport leads to: TokenReview, one pod, its log."""

    def __init__(self) -> None:
        self.reviews = 0
        self.deleted: list[str] = []
        self.watch_ended = asyncio.Event()
        self.log_asked, self.log_ended = asyncio.Event(), asyncio.Event()
        self.away = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        if self.away:
            raise errors.Unavailable("the API server does not answer")
        match method, path:
            case "POST", "/apis/authentication.k8s.io/v1/tokenreviews":
                self.reviews += 1
                user = CALLERS.get(body["spec"]["token"])
                return {"status": {"authenticated": True, "user": user} if user else {"authenticated": False}}
            case "GET", "/api/v1/namespaces/default/pods":
                return {"kind": "PodList", "items": [POD], "query": dict(query or {})}
            case "DELETE", "/api/v1/namespaces/default/pods/p":
                self.deleted.append(path)
                return {"kind": "Status", "status": "Success"}
        raise errors.NotFound(f"{path} not found")

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[WatchEvent, None]:
        try:
            yield WatchEvent("ADDED", POD)
            await asyncio.Event().wait()
        finally:
            self.watch_ended.set()

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        if path.endswith("/silent/log"):
            self.log_asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.log_ended.set()
        if not path.endswith("/p/log"):
            raise errors.NotFound('pods "q" not found')
        yield b"first\n"
        yield b"second\n"

    async def close(self) -> None: ...


class House:
    """The front door, what stands behind it, and a client that comes with no identity."""

    def __init__(
        self, front: Front, api: ApiServer, clock: FakeClock, http: aiohttp.ClientSession, server: asyncio.Task[None]
    ) -> None:
        self.front, self.api, self.clock, self.http = front, api, clock, http
        self._server = server

    async def stop(self) -> None:
        self._server.cancel()
        await asyncio.wait([self._server])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front.port}"


def bearer(token: str = "owner-token") -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def whoami(request: web.Request) -> web.Response:
    identity = request[IDENTITY]
    return web.json_response({"user": identity.user, "groups": identity.groups})


async def welcome(request: web.Request) -> web.Response:
    return web.Response(text="anybody")


@asynccontextmanager
async def serving(folder: Path, public_url: str = "http://127.0.0.1:8080", **config: Any) -> AsyncIterator[House]:
    api, clock = ApiServer(), FakeClock()
    platform = Platform(Client(api), clock, public_url, "sqlite://", folder.as_uri(), folder)
    routes = (
        Route("GET", "/apis/v2beta1/whoami", whoami),
        Route("POST", "/apis/v2beta1/whoami", whoami),
        Route("GET", "/apis/v2beta1/healthz", welcome, public=True),
    )
    settings = FrontConfig(public_url=public_url, state_dir=folder, token=lambda: "server-token", **config)
    parts = Parts(routes=routes)
    feature = Feature("people", lambda _: parts, pages=(Page("Runs", "#/runs"),))
    front = Front(platform, [(feature, parts)], settings)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(front.run(ready.set))
        await ready.wait()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            yield House(front, api, clock, http, task)
        task.cancel()


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]
