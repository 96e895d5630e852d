"""The transport to any API server over HTTP/1.1, with TLS and a bearer token or a client certificate."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from fairway.kernel.client import kubeconfig
from fairway.kernel.client.transport import JSON, WatchEvent
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

_LARGEST_EVENT = 16 * 1024 * 1024
_NO_ANSWER_AFTER = 60.0
_WORDS = 100
"""How much is told of an answer that nobody can read."""


class HTTPTransport:
    """One pool of connections to one server. Made inside a running loop; `close` it there."""

    def __init__(self, server: str, *, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.server = server.rstrip("/")
        headers = {"Accept": JSON, "User-Agent": "fairway"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(ssl=tls if tls is not None else True, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_NO_ANSWER_AFTER),
            read_bufsize=1024 * 1024,
        )

    @classmethod
    def from_kubeconfig(cls, path: Path) -> HTTPTransport:
        access = kubeconfig.load(path)
        return cls(access.server, token=access.token, tls=access.tls())

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type} if data is not None else {}
        async with self._open(method, path, query, data=data, headers=headers) as answer:
            decoded = self._decoded(await answer.read())
        return decoded if isinstance(decoded, dict) else {"items": decoded}

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[WatchEvent, None]:
        # No read timeout: a quiet watch is a healthy one; servers end it after a while.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None)
        async with self._open("GET", path, query, timeout=timeout) as answer:
            try:
                async for line in lines(answer.content):
                    event = self._decoded(line)
                    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
                        raise self._no_api(line)
                    if event.get("type") == "ERROR":
                        raise errors.from_status(event["object"])
                    yield WatchEvent(str(event.get("type")), event["object"])
            finally:
                _hang_up(answer)

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None)
        async with self._open("GET", path, query, timeout=timeout, headers={"Accept": "*/*"}) as answer:
            async for chunk in answer.content.iter_any():
                yield chunk

    async def close(self) -> None:
        await self._session.close()
        # aiohttp does not wait for the TLS connections that it aborts; they go in the loop's next turns.
        await asyncio.sleep(0.01)

    def _decoded(self, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise self._no_api(body) from None

    def _no_api(self, said: bytes) -> errors.Unavailable:
        """A proxy in between may answer in its stead."""
        words = said[:_WORDS].decode(errors="replace")
        return errors.Unavailable(f"what answers at {self.server} is no Kubernetes API, or not now: {words!r}")

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, query: Mapping[str, str] | None, **options: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """An answer that is a success; everything else is raised in the house's own errors."""
        try:
            async with self._session.request(method, self.server + path, params=query, **options) as answer:
                if answer.status >= 400:
                    raise refused(answer.status, await answer.read())
                yield answer
        except aiohttp.ClientError as problem:
            raise errors.Unavailable(f"the API server at {self.server} does not answer: {problem}") from problem
        except TimeoutError as problem:
            raise errors.Timeout(f"the API server at {self.server} did not answer in time") from problem


def _hang_up(answer: aiohttp.ClientResponse) -> None:
    """End a watch that goes on: a polite end of TLS waits for the server, and may outlive the event loop."""
    if answer.connection and answer.connection.transport:
        answer.connection.transport.abort()


def refused(code: int, body: bytes) -> errors.ApiError:
    """The error that an answer is."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = {"message": body.decode(errors="replace")[:500]}
    if not isinstance(status, dict):
        status = {}
    return errors.from_status({"code": code, **status})


async def lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Whole lines of a watch, however long (StreamReader.readline has a limit of its own)."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        if len(rest) > _LARGEST_EVENT:
            raise errors.InternalError("the server sent a watch event that is too large")
        if b"\n" in chunk:
            *lines, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for line in lines:
                if line:
                    yield line
