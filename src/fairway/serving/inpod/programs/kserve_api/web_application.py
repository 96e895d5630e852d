"""`kserve.model_server.app` and RESTServer: the server's own routes as an ASGI application.

For programs and tests that call the application without a socket. The server itself does not come through here, so
middleware would see nothing; one that is added is refused at start, and CORS is named as the gateway's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import metadata
from typing import Any

from fairway.serving.inpod.board import Board
from fairway.serving.inpod.changes import Changes
from fairway.serving.inpod.lanes import Limits
from fairway.serving.inpod.messages import Answer, Request
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.routes import Routes

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class WebApplication:
    """Of the model server that was made last, as KServe has one for the process."""

    def __init__(self) -> None:
        self.middleware: list[str] = []
        self._server: Any = None

    def serve(self, server: Any) -> None:
        self._server = server

    def add_middleware(self, kind: Any, **_: Any) -> None:
        self.middleware.append(kind.__name__)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http" and self._server is not None:
            await self._answer(await _request(scope, receive), send)
        else:
            raise RuntimeError("There is no model server yet, or this is no HTTP request.")

    async def _answer(self, request: Request, send: Send) -> None:
        board = Board(1)
        metrics = Metrics(board, board.page(0))
        repository = Repository(Limits(threads=1, waiting=10), metrics, asyncio.get_running_loop())
        for name in self._server.registered_models.get_models():
            repository.expect(name)
            repository.known(name).wanted = False  # a model that is not ready keeps nobody else from being so
        try:
            for name, loader in self._server.loaders(keep=True).items():
                await repository.load(name, loader)
            call = _Call(request)
            Routes(repository, metrics, Changes(repository, None), server_version=_version())(call)
            await _send(await call.answer, send)
        finally:
            await repository.close()


class RESTServer:
    """What KServe's own tests make an application with; `ModelServer.start` needs none."""

    def __init__(
        self,
        app: str,
        data_plane: Any,
        model_repository_extension: Any,
        http_port: int,
        event_loop: str = "auto",
        timeout_keep_alive: int = 65,
        **_: Any,
    ) -> None:
        loop = event_loop if event_loop in ("auto", "asyncio", "uvloop") else "auto"
        self.config = _Config(loop, timeout_keep_alive)
        self.dataplane, self.model_repository_extension = data_plane, model_repository_extension

    def create_application(self) -> None:
        """It is there already: `kserve.model_server.app`."""


class _Config:
    def __init__(self, loop: str, timeout_keep_alive: int) -> None:
        self.loop, self.timeout_keep_alive = loop, timeout_keep_alive


class _Call:
    """A call whose answer is a future."""

    def __init__(self, request: Request) -> None:
        self.request, self.alive = request, True
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def respond(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def when_gone(self, callback: Callable[[], object]) -> None:
        """The client of an application in the same process does not hang up."""


async def _request(scope: Mapping[str, Any], receive: Receive) -> Request:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], headers, body, scope.get("query_string", b"").decode())


async def _send(answer: Answer, send: Send) -> None:
    headers = {"content-type": answer.content_type, **answer.headers}
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    if answer.stream is not None:
        async for part in answer.stream:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": answer.body + b"".join(map(bytes, answer.tail))})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _version() -> str:
    try:
        return metadata.version("fairway")
    except metadata.PackageNotFoundError:
        return "unknown"
