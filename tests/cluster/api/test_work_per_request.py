"""What a request costs, in things that can be counted: time itself is measured in `bench`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import orjson
import pytest

from fairway.cluster.store.broadcast import Watch
from fairway.cluster.store.protocol import Key
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.client.transport import WatchEvent
from fairway.kernel.objects.kinds import CONFIG_MAP, Object
from tests.cluster.api.world import World

MOST_CALLS = 240
"""Functions of the server that one create enters: look for what was added in vain before you raise it."""


@pytest.fixture
async def admin(world: World) -> AsyncGenerator[Client, None]:
    client = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    yield client
    await client.close()


@contextmanager
def entered() -> Iterator[list[str]]:
    """The functions of the API, the store and the objects that this thread enters in the block."""
    found: list[str] = []

    def look(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and ("/fairway/cluster/" in code.co_filename or "/kernel/objects/" in code.co_filename):
            found.append(code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)


def config(name: str, **labels: str) -> Object:
    return CONFIG_MAP.new(name, "default", data={"text": "x" * 1500}, metadata={"labels": labels})


async def test_a_create_enters_few_functions(world: World) -> None:
    path = CONFIG_MAP.path("default")
    await world.raw("POST", path, data=orjson.dumps(config("first", a="b")))
    with entered() as found:
        code, _, _ = await world.raw("POST", path, data=orjson.dumps(config("second", a="b")))
    assert code == 201
    assert len(found) < MOST_CALLS, sorted(found)


async def test_an_object_is_encoded_once_whoever_watches(
    world: World, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = await _opened(world, [admin.watch(CONFIG_MAP, "default") for _ in range(10)])
    encoded: list[Any] = []
    dumps = orjson.dumps

    def counted(value: Any, *args: Any, **options: Any) -> bytes:
        encoded.append(value)
        return dumps(value, *args, **options)

    body = dumps(config("one", a="b"))
    monkeypatch.setattr(orjson, "dumps", counted)
    await world.raw("POST", CONFIG_MAP.path("default"), data=body)
    for watch in watches:
        assert (await watch).object["metadata"]["name"] == "one"
    assert [value["metadata"]["name"] for value in encoded if value.get("kind") == "ConfigMap"] == ["one"]


async def test_an_event_wakes_nobody_who_looks_at_other_labels_and_needs_no_task(
    world: World, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [admin.watch(CONFIG_MAP, "default", labels=f"of={number}") for number in range(20)]
    watches = await _opened(world, streams)
    offered: list[Watch] = []
    offer = Watch.offer

    def counted(watch: Watch, *args: Any) -> None:
        offered.append(watch)
        offer(watch, *args)

    monkeypatch.setattr(Watch, "offer", counted)
    made: list[asyncio.Task[Any]] = []

    def task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(asyncio.Task(coro, loop=loop, **options))
        return made[-1]

    loop = asyncio.get_running_loop()
    loop.set_task_factory(task)
    try:
        await world.store.create(Key("configmaps", "default", "seven"), config("seven", of="7"))
        assert (await watches[7]).object["metadata"]["name"] == "seven"
    finally:
        loop.set_task_factory(None)
    assert len(offered) == 1
    assert not made
    for number, watch in enumerate(watches):
        assert watch.done() is (number == 7)
        watch.cancel()


async def _first(stream: AsyncGenerator[WatchEvent, None]) -> WatchEvent:
    return await anext(stream)


async def _opened(world: World, streams: list[AsyncGenerator[WatchEvent, None]]) -> list[asyncio.Task[WatchEvent]]:
    """Who waits for the first event of each stream, once all of them are in force."""
    tasks = [asyncio.create_task(_first(stream)) for stream in streams]
    async with asyncio.timeout(60):
        while world.store._broadcast.count("configmaps") < len(streams):
            await asyncio.sleep(0.01)
    return tasks
