"""A client's connection that is no HTTP any more: after the answer 101 its bytes are another protocol's.

`forwarding` and `talking` speak SPDY on it, `proxying` passes it on as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import cast

from aiohttp import web
from aiohttp.http_websocket import WebSocketReader


class Taken:
    """`response` is what the handler of the request must give back."""

    def __init__(self, response: web.StreamResponse, transport: asyncio.Transport, incoming: _Bytes) -> None:
        self.response = response
        self._transport, self._incoming = transport, incoming

    async def send(self, data: bytes) -> None:
        """Raises ConnectionResetError."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What the client says, until it goes."""
        while (data := await self._incoming.queue.get()) is not None:
            yield data

    def close(self) -> None:
        self._transport.close()


async def take(request: web.BaseRequest, headers: Mapping[str, str]) -> Taken:
    """Answer 101 with `headers`, and have the connection."""
    response = web.StreamResponse(status=101, reason="Switching Protocols")
    response.headers.update(headers)
    incoming = _Bytes()
    await response.prepare(request)
    request.protocol.set_parser(cast(WebSocketReader, incoming))  # which it takes any reader of bytes for
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    return Taken(response, transport, incoming)


class _Bytes:
    """What aiohttp gives the bytes of a connection to once it is no HTTP any more."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.queue.put_nowait(bytes(data))
        return False, b""

    def feed_eof(self) -> None:
        self.queue.put_nowait(None)

    def set_exception(self, exc: BaseException) -> None:
        self.queue.put_nowait(None)
