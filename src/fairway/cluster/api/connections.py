"""Subresources that are connections and no objects: exec, attach, portforward and proxy. One table.

Admission has been asked before; each opener answers the request itself, for as long as the client stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.cluster.api.forwarding import connecting, face
from fairway.cluster.api.proxying import nodes, targets
from fairway.cluster.api.proxying.passing import Proxy
from fairway.cluster.api.talking import asking, sockets, streams
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NODE

Begun = Callable[[], None]
"""Called once it is certain that a connection is taken over: accounts of requests need not wait for its end."""

Opener = Callable[[web.BaseRequest, Call, Begun], Awaitable[web.StreamResponse]]


class Connections:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._proxy = Proxy()
        self._openers: dict[str, Opener] = {
            "exec": self._talk,
            "attach": self._talk,
            "portforward": self._forward,
            "proxy": self._pass_on,
        }

    def opener(self, call: Call) -> Opener | None:
        return self._openers.get(call.subresource)

    async def close(self) -> None:
        await self._proxy.close()

    async def _talk(self, request: web.BaseRequest, call: Call, begun: Begun) -> web.StreamResponse:
        asked = asking.wanted(self._backend, call, request.query.getall("command", []))
        upgrade = request.headers.get("Upgrade", "").lower()
        if upgrade == "spdy/3.1":
            streams.check(request)
        elif upgrade != "websocket":
            raise errors.BadRequest("Upgrade request required: to a WebSocket, or to SPDY/3.1")
        talk = await asking.opened(self._backend, asked)
        begun()
        carry = sockets.carry if upgrade == "websocket" else streams.carry
        return await carry(request, talk, asked)

    async def _forward(self, request: web.BaseRequest, call: Call, begun: Begun) -> web.StreamResponse:
        target = connecting.target(self._backend, call)
        begun()
        return await face.answer(request, target)

    async def _pass_on(self, request: web.BaseRequest, call: Call, begun: Begun) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if call.served.storage != NODE.resource:
            return await self._proxy.answer(request, targets.target(self._backend.store, call, path))
        said = nodes.answer(self._backend, call, targets.split(path)[1])
        if isinstance(said, str):
            return web.Response(text=said)
        return web.Response(body=orjson.dumps(said), content_type="application/json")
