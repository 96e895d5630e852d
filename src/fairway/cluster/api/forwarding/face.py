"""pods/portforward over HTTP: which of the protocols a client speaks, and its connection taken over for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import cast

from aiohttp import WSMsgType, web
from aiohttp.http_websocket import WebSocketReader

from fairway.cluster.api.forwarding import channels
from fairway.cluster.api.forwarding.connecting import Target
from fairway.cluster.api.forwarding.spdy import Malformed
from fairway.cluster.api.forwarding.tunnel import Tunnel
from fairway.kernel.objects import errors

PROTOCOL = "portforward.k8s.io"
TUNNELLED = f"SPDY/3.1+{PROTOCOL}"


async def answer(request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Raises BadRequest for a request that asks for no protocol that is spoken here."""
    upgrade = request.headers.get("Upgrade", "").lower()
    if upgrade == "websocket":
        offered = [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        if TUNNELLED in offered:
            return await _tunnelled(request, target)
        wanted = channels.ports(request.query.getall("ports", []))
        socket = web.WebSocketResponse(protocols=channels.PROTOCOLS, max_msg_size=0)
        await socket.prepare(request)
        await channels.carry(socket, target, wanted)
        return socket
    if upgrade == "spdy/3.1":
        return await _bare(request, target)
    raise errors.BadRequest("port forwarding needs an upgrade of the connection to SPDY/3.1 or to a WebSocket")


async def _tunnelled(request: web.BaseRequest, target: Target) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=(TUNNELLED,), max_msg_size=0)
    await socket.prepare(request)
    tunnel = Tunnel(target, socket.send_bytes)
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await tunnel.feed(message.data)
    except (Malformed, ConnectionError):
        await socket.close()
    finally:
        await tunnel.close()
    return socket


async def _bare(request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """After the answer the connection's bytes are SPDY."""
    response = web.StreamResponse(status=101, reason="Switching Protocols")
    response.headers.update({"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": PROTOCOL})
    incoming = _Bytes()
    await response.prepare(request)
    request.protocol.set_parser(cast(WebSocketReader, incoming))  # which it takes any reader of bytes for
    transport = request.transport
    assert transport is not None, "the request has a connection: it was answered"

    async def send(data: bytes) -> None:
        if transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)

    tunnel = Tunnel(target, send)
    try:
        while (data := await incoming.queue.get()) is not None:
            await tunnel.feed(data)
    except (Malformed, ConnectionError):
        pass
    finally:
        with suppress(asyncio.CancelledError):
            await tunnel.close()
        transport.close()
    return response


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
