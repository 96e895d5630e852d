"""A client that watches and reads nothing is cut off; nobody waits for it, neither who writes nor who reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from fairway.cluster.api import http
from fairway.cluster.store import broadcast
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.client.transport import WatchEvent
from fairway.kernel.objects.kinds import CONFIG_MAP
from tests.cluster.api.world import World

LARGE = "x" * 200_000


async def silent_watch(world: World) -> asyncio.Transport:
    """A connection that asks for a watch and never reads."""
    port = int(world.url.rpartition(":")[2])
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, "127.0.0.1", port, ssl=world.tls, server_hostname="127.0.0.1"
    )
    head = f"GET {CONFIG_MAP.path('default')}?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token()}"
    transport.write(f"{head}\r\n\r\n".encode())
    transport.pause_reading()
    await watched(world, 1)
    return transport


async def watched(world: World, by: int) -> None:
    """Wait until so many watch."""
    async with asyncio.timeout(60):
        while world.store._broadcast.count("configmaps") != by:
            await asyncio.sleep(0.01)


async def _names(events: AsyncGenerator[WatchEvent, None], count: int) -> list[str]:
    return [(await anext(events)).object["metadata"]["name"] for _ in range(count)]


@pytest.mark.slow
async def test_who_does_not_read_is_cut_off_and_the_others_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_SLOWEST_READER", 1.0)
    admin = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    silent = await silent_watch(world)
    others = admin.watch(CONFIG_MAP, "default")
    seen = asyncio.ensure_future(_names(others, 60))
    await watched(world, 2)
    names = [f"large-{number}" for number in range(60)]
    for name in names:
        await admin.create(CONFIG_MAP, CONFIG_MAP.new(name, "default", data={"x": LARGE}))
    async with asyncio.timeout(60):
        assert await seen == names
    await watched(world, 1)
    await others.aclose()
    silent.abort()
    await admin.close()


@pytest.mark.slow
async def test_who_lags_too_far_is_told_to_list_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "BACKLOG", 20)
    admin = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    silent = await silent_watch(world)
    async with asyncio.timeout(60):
        for number in range(120):
            await admin.create(CONFIG_MAP, CONFIG_MAP.new(f"large-{number}", "default", data={"x": LARGE}))
            if not world.store._broadcast.count("configmaps"):
                break
        assert not world.store._broadcast.count("configmaps")
    silent.abort()
    await admin.close()
