"""pods/portforward over HTTP: which of the protocols a client speaks, and its connection taken over for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import WSMsgType, web

from fairway.cluster.api import takeover
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
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": PROTOCOL}
    taken = await takeover.take(request, headers)
    tunnel = Tunnel(target, taken.send)
    try:
        async for data in taken.pieces():
            await tunnel.feed(data)
    except (Malformed, ConnectionError):
        pass
    finally:
        with suppress(asyncio.CancelledError):
            await tunnel.close()
        taken.close()
    return taken.response
