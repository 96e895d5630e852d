"""The way to a server over HTTP: an answer that is none of an API is an error like any other, and ends no loop."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.clock import SystemClock
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP

_PAGE = "<html>Please log in</html>"


async def test_a_proxy_that_answers_in_its_stead_is_waited_for() -> None:
    found = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a", "resourceVersion": "7"}}]}
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append("watch" if request.query.get("watch") else "list")
        if len(asked) < 3:
            return web.Response(text=_PAGE)
        return web.Response(text='{"type": "ADDED"}\n') if "watch" in request.query else web.json_response(found)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        client = Client(HTTPTransport(str(server.make_url(""))))
        with pytest.raises(errors.Unavailable, match="is no Kubernetes API, or not now: '<html>Please log in"):
            await client.list(CONFIG_MAP)
        mirror = Mirror(client, CONFIG_MAP, SystemClock())
        following = asyncio.create_task(mirror.run())
        async with asyncio.timeout(60):
            await mirror.synced()
            while asked.count("watch") < 2 and not following.done():
                await asyncio.sleep(0.01)
        assert not following.done() and mirror.get("", "a")
        following.cancel()
        await client.close()
