"""A client's connection that is no HTTP any more: after the answer 101 its bytes are another protocol's.

`forwarding` and `talking` speak SPDY on it, `proxying` passes it on as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_websocket import WebSocketReader

_AHEAD = 256 * 1024
"""Bytes of a client that may wait for whoever takes them; then the client waits."""


class Taken:
    """`response` is what the handler of the request must give back."""

    def __init__(self, response: web.StreamResponse, request: web.BaseRequest, writer: AbstractStreamWriter) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self.response = response
        self._protocol, self._transport, self._writer = request.protocol, transport, writer
        self._incoming = _Bytes(transport)
        request.protocol.set_parser(cast(WebSocketReader, self._incoming))  # which it takes any reader of bytes for

    async def send(self, data: bytes) -> None:
        """Waits where the client does not read as fast. Raises ConnectionResetError."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)
        if self._protocol.writing_paused:
            await self._writer.drain()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What the client says, until it goes."""
        while (data := await self._incoming.next()) is not None:
            yield data

    def close(self) -> None:
        self._transport.close()


async def take(request: web.BaseRequest, headers: Mapping[str, str]) -> Taken:
    """Answer 101 with `headers`, and have the connection."""
    response = web.StreamResponse(status=101, reason="Switching Protocols")
    response.headers.update(headers)
    writer = await response.prepare(request)
    assert writer is not None, "the answer has not ended"
    return Taken(response, request, writer)


class _Bytes:
    """What aiohttp gives the bytes of a connection to once it is no HTTP any more."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting = 0
        self._held = False

    async def next(self) -> bytes | None:
        """None at the end."""
        data = await self._queue.get()
        if data is not None:
            self._waiting -= len(data)
            if self._held and self._waiting <= _AHEAD and not self._transport.is_closing():
                self._held = False
                self._transport.resume_reading()
        return data

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._queue.put_nowait(bytes(data))
        self._waiting += len(data)
        if self._waiting > _AHEAD and not self._held:
            self._held = True
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._queue.put_nowait(None)

    def set_exception(self, exc: BaseException) -> None:
        self._queue.put_nowait(None)
