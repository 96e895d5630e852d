"""Any ASGI application (FastAPI, Starlette, Quart, ...) behind our server: HTTP with streams, and lifespan.

The application lives on a loop of its own, so that a handler that blocks keeps nobody from answering health. Each
request is one call of it; a client that hangs up is told to it as a disconnect. WebSockets are refused by name: run
the application with its own server, as a container, for those.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from typing import Any

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Message, Reply, Signature
from fairway.serving.inpod.programs import failures, loops

LONGEST_START = 60.0
_AHEAD = 16
"""Chunks of an answer that may wait for a client that reads slowly."""
_VERSION = {"version": "3.0", "spec_version": "2.3"}
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "date"})


class Application:
    """`Speaks` around an application, started."""

    paths = ("/",)

    def __init__(self, app: Any, name: str) -> None:
        self._app = app
        self._loop = loops.OwnLoop(name)
        self._state: dict[str, Any] = {}
        self._lifespan = self._loop.wait(self._begin)

    async def speak(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if "websocket" in headers.get("upgrade", "").lower():
            raise Refusal(
                501,
                "WebSockets do not go through this server; deploy the application as a container with its own server.",
            )
        exchange = _Exchange(self._app, _scope(method, path, query, headers, self._state), body)
        with failures.as_refusals("The application"):
            status, sent, first, more = await self._loop.call(exchange.begin)
        kind, others = _headers(sent)
        if not more:
            return Reply(body=first, content_type=kind, headers=others, status=status)
        return Reply(stream=self._loop.iterate(exchange.rest(first)), content_type=kind, headers=others, status=status)

    @property
    def signature(self) -> Signature:
        return Signature("asgi", batches=False)

    asynchronous = False

    def answer(self, message: Message) -> Reply:
        raise Refusal(501, "This is an application with paths of its own; it does not speak the inference protocols.")

    def close(self) -> None:
        if self._lifespan is not None and self._loop.running:
            with suppress(Exception):
                self._loop.wait(self._lifespan.end)
        self._loop.close()

    async def _begin(self) -> _Lifespan | None:
        lifespan = _Lifespan(self._app, self._state)
        return lifespan if await lifespan.begin() else None


def load(app: Any, name: str) -> Application:
    """Raises CannotLoad where the application's own start fails."""
    return Application(app, name)


class _Lifespan:
    """The call that an application gets once, for as long as it runs."""

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task = asyncio.ensure_future(
            app({"type": "lifespan", "asgi": _VERSION, "state": state}, self._told.get, self._said.put)
        )

    async def begin(self) -> bool:
        """False for an application that has no lifespan. Raises CannotLoad."""
        self._told.put_nowait({"type": "lifespan.startup"})
        answer = asyncio.ensure_future(self._said.get())
        done, _ = await asyncio.wait((self._task, answer), timeout=LONGEST_START, return_when="FIRST_COMPLETED")
        if answer in done:
            message = answer.result()
            if message["type"] == "lifespan.startup.failed":
                raise CannotLoad(f"The application does not start: {message.get('message') or 'it does not say why'}.")
            return True
        answer.cancel()
        if self._task in done:
            self._task.exception()  # an application without a lifespan may raise or return: it is asked no more
            return False
        self._task.cancel()
        raise CannotLoad(f"The application did not start within {LONGEST_START:.0f} seconds.")

    async def end(self) -> None:
        self._told.put_nowait({"type": "lifespan.shutdown"})
        with suppress(TimeoutError):
            await asyncio.wait_for(self._said.get(), 10)


class _Exchange:
    """One request, on the application's loop."""

    def __init__(self, app: Any, scope: dict[str, Any], body: bytes) -> None:
        self._app, self._scope = app, scope
        self._body: bytes | None = body
        self._parts: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(_AHEAD)
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None]

    async def begin(self) -> tuple[int, Iterable[tuple[bytes, bytes]], bytes, bool]:
        """Status, headers, the first part of the body, and whether more follows."""
        self._task = asyncio.create_task(self._run())
        try:
            kind, start = await self._next()
            if kind != "start":
                raise RuntimeError("the application sent a body before it sent a status")
            _, (first, more) = await self._next()
        except BaseException:
            self._task.cancel()
            raise
        return start["status"], start.get("headers", ()), first, more

    async def rest(self, first: bytes) -> AsyncIterator[bytes]:
        try:
            if first:
                yield first
            more = True
            while more:
                _, (part, more) = await self._next()
                if part:
                    yield part
        finally:
            self._gone.set()
            if not self._task.done():
                _, late = await asyncio.wait((self._task,), timeout=1)
                for task in late:
                    task.cancel()

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
            await self._parts.put(("end", None))
        except Exception as failure:
            await self._parts.put(("failed", failure))

    async def _next(self) -> tuple[str, Any]:
        kind, value = await self._parts.get()
        if kind == "failed":
            raise value
        if kind == "end":
            raise RuntimeError("the application ended before its answer did")
        return kind, value

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if self._gone.is_set():
            raise OSError("the client has gone")
        if message["type"] == "http.response.start":
            await self._parts.put(("start", message))
        elif message["type"] == "http.response.body":
            await self._parts.put(("body", (bytes(message.get("body", b"")), bool(message.get("more_body")))))


def _scope(method: str, path: str, query: str, headers: Mapping[str, str], state: dict[str, Any]) -> dict[str, Any]:
    host, _, port = headers.get("host", "localhost").partition(":")
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": "1.1",
        "method": method,
        "scheme": headers.get("x-forwarded-proto", "http"),
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": (headers.get("x-forwarded-for", "127.0.0.1").partition(",")[0].strip(), 0),
        "server": (host, int(port) if port.isdigit() else 80),
        "state": dict(state),
    }


def _headers(sent: Iterable[tuple[bytes, bytes]]) -> tuple[str, dict[str, str]]:
    """The content type, and the other headers. Names of repeated ones (Set-Cookie) differ in their letters' case, which
    means nothing in HTTP, since a Reply's headers are a mapping."""
    kind, others = "application/octet-stream", dict[str, str]()
    for raw_name, raw_value in sent:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "content-type":
            kind = value
        elif name not in _OURS:
            others[_free(name, others)] = value
    return kind, others


def _free(name: str, taken: Mapping[str, str]) -> str:
    number = 0
    candidate = name
    while candidate in taken and number < 2 ** len(name):
        number += 1
        candidate = "".join(letter.upper() if number >> at & 1 else letter for at, letter in enumerate(name))
    return candidate
