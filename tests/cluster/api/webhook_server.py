"""A webhook as somebody writes one: HTTPS on a loopback port, with a function for each path."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from fairway.cluster.api.identity import certificates
from fairway.kernel.objects.kinds import Object

Answer = Callable[[Object], Awaitable[Any]]
"""From a request's `request` to its response without the uid, or to bytes that are sent as they are."""


@dataclass
class WebhookServer:
    port: int
    ca_bundle: str
    asked: list[Object] = field(default_factory=list)
    """Every `request` that came, in order."""
    queries: list[str] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    answers: dict[str, Answer] = field(default_factory=dict)

    def config(self, path: str) -> Object:
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.ca_bundle}

    def on(self, path: str, answer: Answer) -> Object:
        """Answer at a path; gives the clientConfig that leads there."""
        self.answers[path] = answer
        return self.config(path)

    async def handle(self, request: web.Request) -> web.Response:
        review = orjson.loads(await request.read())
        self.asked.append(review["request"])
        self.queries.append(request.query_string)
        self.connections.add(request.transport)
        told = await self.answers[request.path](review["request"])
        if isinstance(told, bytes):
            return web.Response(body=told)
        if isinstance(told, web.Response):
            return told
        body = {**review, "response": {"uid": review["request"]["uid"], **told}}
        body.pop("request")
        return web.Response(body=orjson.dumps(body), content_type="application/json")


@asynccontextmanager
async def webhook_server(
    folder: Path, *hosts: str, address: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[WebhookServer, None]:
    files = certificates.ensure(folder, hosts=("127.0.0.1", *hosts))
    server = WebhookServer(0, base64.b64encode(files.ca_pem.encode()).decode())
    app = web.Application()
    app.router.add_route("POST", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    await web.TCPSite(runner, address, port, ssl_context=context).start()
    server.port = int(runner.addresses[0][1])
    try:
        yield server
    finally:
        await runner.cleanup()


def patch(*operations: Object) -> Object:
    """The response that allows, with a JSON patch."""
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(orjson.dumps(operations)).decode()}
