"""The real API and the real Envoy, with web servers for backends and a front door, all on loopback."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.ports import free_port

from fairway.cluster.api.identity.tokens import ISSUER, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.network.build import KINDS, NetworkConfig, build
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.control import running
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CRD, ENDPOINT_SLICE, HTTP_ROUTE, NAMESPACE, SERVICE, Object

PARENT = {"name": "fairway", "namespace": "fairway-system"}


class Backend:
    """A web server that says who it is and what it was asked."""

    def __init__(self, name: str, address: str, port: int) -> None:
        self.name, self.address, self.port = name, address, port
        self.served = 0
        application = web.Application()
        application.router.add_get("/socket", self._socket)
        application.router.add_get("/stream", self._stream)
        application.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=5)
        self.more = asyncio.Event()

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, self.port).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.served += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = web.json_response({"who": self.name, "path": request.path_qs, "headers": headers})
        answer.set_cookie("session", "of a service")
        return answer

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for message in answer:
            await answer.send_str(f"{self.name}: {message.data}")
        return answer

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """The second half comes only when the test says so."""
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first ")
        await self.more.wait()
        await answer.write(b"second")
        return answer


@dataclass
class Gateway:
    client: Client
    issuer: Issuer
    port: int
    folder: Path
    http: aiohttp.ClientSession
    front: Backend
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    backends: list[Backend] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.mint('anna', seconds=60)}"}

    async def get(self, path: str, *, token: bool = True, **headers: str) -> tuple[int, Any]:
        sent = {**(self.token if token else {}), **headers}
        async with self.http.get(self.url(path), headers=sent) as answer:
            return answer.status, await answer.json(content_type=None)

    async def backend(self, name: str) -> Backend:
        made = Backend(name, f"127.{65 + os.getpid() % 20}.77.{next(self.numbers)}", free_port())
        await made.start()
        self.backends.append(made)
        return made

    async def service(self, name: str, *backends: Backend) -> Object:
        """A Service with these backends as its endpoints."""
        spec = {"ports": [{"name": "http", "port": 80}]}
        made = await self.client.create(SERVICE, SERVICE.new(name, "default", spec=spec))
        for backend in backends:
            await self.endpoint(name, backend)
        return made

    async def endpoint(self, service: str, backend: Backend) -> None:
        labels = {"labels": {"kubernetes.io/service-name": service}}
        one = ENDPOINT_SLICE.new(f"{service}-{backend.name}", "default", metadata=labels)
        await self.client.create(
            ENDPOINT_SLICE,
            {
                **one,
                "addressType": "IPv4",
                "endpoints": [{"addresses": [backend.address], "conditions": {"ready": True}}],
                "ports": [{"name": "http", "port": backend.port, "protocol": "TCP"}],
            },
        )

    async def route(self, name: str, *rules: Object, hostnames: tuple[str, ...] = (), **annotations: str) -> Object:
        """A route, once the gateway has said what it thinks of it."""
        spec: Object = {"parentRefs": [PARENT], "rules": list(rules)}
        if hostnames:
            spec["hostnames"] = list(hostnames)
        made = HTTP_ROUTE.new(name, "default", metadata={"annotations": annotations}, spec=spec)
        await self.client.create(HTTP_ROUTE, made)
        told = await self.client.wait(
            HTTP_ROUTE, name, "default", lambda r: bool(r and (r.get("status") or {}).get("parents")), timeout=60
        )
        assert told is not None
        return told


def to(service: str, prefix: str, *, weight: int = 1, rewrite: str | None = None) -> Object:
    rule: Object = {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        "backendRefs": [{"name": service, "port": 80, "weight": weight}],
    }
    if rewrite is not None:
        change = {"type": "ReplacePrefixMatch", "replacePrefixMatch": rewrite}
        rule["filters"] = [{"type": "URLRewrite", "urlRewrite": {"path": change}}]
    return rule


@asynccontextmanager
async def gateway(folder: Path, *, preload: Path | None = None) -> AsyncGenerator[Gateway, None]:
    clock, issuer = SystemClock(), Issuer.load(folder)
    # Service addresses of our own: another cluster on this machine may use those of the default network.
    network = f"127.{40 + os.getpid() % 20}.{os.getpid() // 20 % 256}.0/24"
    api = ApiServer(MemoryStore(), clock=clock, issuer=issuer, service_network=network)
    client = Client(api.transport(Identity("admin", ("system:masters",))))
    with suppress(errors.AlreadyExists):
        await client.create(NAMESPACE, NAMESPACE.new("default"))
    for kind in KINDS:
        await client.create(CRD, kind.definition())
    front = Backend("front", "127.0.0.1", free_port())
    await front.start()
    port = free_port()
    config = NetworkConfig(
        host="127.0.0.1",
        port=port,
        front=(front.address, front.port),
        run_dir=folder / "network",
        jwks=issuer.jwks(),
        issuer=ISSUER,
        preload=preload,
    )
    (service,) = build(client, clock, config).services
    async with aiohttp.ClientSession() as http:
        here = Gateway(client, issuer, port, folder / "network", http, front)
        async with asyncio.TaskGroup() as tasks:
            started = asyncio.Event()
            running_service = tasks.create_task(_run(service.run, started))
            await started.wait()
            yield here
            running_service.cancel()
        for backend in (*here.backends, front):
            await backend.stop()


async def _run(run: Callable[[Callable[[], None]], Awaitable[None]], started: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        await running.start_service("gateway", run, tasks)
        started.set()
