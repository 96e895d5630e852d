"""Mirrors follow the server, and controllers reconcile names, against the real API in process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.control.controller import Controller, Terminal, World, by_name, owner
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.control.running import start_controllers, start_service
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, NAMESPACE, SECRET, Object

CLOCK = SystemClock()


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(tmp_path: Path, store: MemoryStore) -> AsyncIterator[Client]:
    api = ApiServer(store, clock=CLOCK, issuer=Issuer.load(tmp_path))
    yield Client(api.transport(Identity("admin", ("system:masters",))))


def config(name: str, **data: str) -> Object:
    return CONFIG_MAP.new(name, "default", data=data)


async def eventually(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not check():
            await asyncio.sleep(0.005)


async def test_who_deletes_without_a_name_deletes_nothing(client: Client) -> None:
    await client.create(CONFIG_MAP, config("kept"))
    with pytest.raises(ValueError, match="without one they all would"):
        await client.delete(CONFIG_MAP, "", "default")
    assert [meta.name(each) for each in (await client.list(CONFIG_MAP, "default")).items] == ["kept"]


async def test_a_mirror_follows_births_changes_and_deaths(client: Client) -> None:
    await client.create(CONFIG_MAP, config("early"))
    mirror = Mirror(client, CONFIG_MAP, CLOCK)
    seen: list[tuple[bool, bool]] = []
    mirror.subscribe(lambda old, new: seen.append((old is not None, new is not None)))
    task = asyncio.create_task(mirror.run())
    await mirror.synced()
    assert mirror.get("default", "early")
    await client.create(CONFIG_MAP, config("late", a="1"))
    await client.patch(CONFIG_MAP, "late", "default", {"data": {"a": "2"}})
    await client.delete(CONFIG_MAP, "early", "default")
    await eventually(lambda: mirror.get("default", "early") is None)
    late = mirror.get("default", "late")
    assert late and late["data"] == {"a": "2"}
    assert seen == [(False, True), (False, True), (True, True), (True, False)]
    task.cancel()


async def test_what_one_subscriber_cannot_read_stops_nobody(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    await client.create(CONFIG_MAP, config("early"))
    mirror = Mirror(client, CONFIG_MAP, CLOCK)
    seen: list[str] = []

    def hears(old: Object | None, new: Object | None) -> None:
        seen.append(meta.name(new or old or {}))

    def fails(old: Object | None, new: Object | None) -> None:
        raise KeyError("spec")

    mirror.subscribe(fails)
    mirror.subscribe(hears)
    task = asyncio.create_task(mirror.run())
    await mirror.synced()
    mirror.subscribe(fails)
    await client.create(CONFIG_MAP, config("late"))
    await eventually(lambda: seen == ["early", "late"])
    assert not task.done() and "a change of ConfigMap default/late was not understood" in caplog.text
    task.cancel()


async def test_a_mirror_that_fell_too_far_behind_lists_again(client: Client, store: MemoryStore) -> None:
    mirror = Mirror(client, CONFIG_MAP, CLOCK)
    task = asyncio.create_task(mirror.run())
    await mirror.synced()
    task.cancel()
    await asyncio.wait([task])
    for number in range(5):
        await client.create(CONFIG_MAP, config(f"missed-{number}"))
    await store.compact(store.revision)
    task = asyncio.create_task(mirror.run())
    await eventually(lambda: len(mirror.all("default")) == 5)
    task.cancel()


async def test_a_controller_hears_of_one_name_alone(client: Client) -> None:
    heard: list[str] = []
    whole = asyncio.Event()

    def furniture(obj: Object) -> list[tuple[str, str]]:
        heard.append(meta.name(obj))
        return [("default", "anything")]

    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        if world.mirror(CONFIG_MAP, by_name("wanted")).get("default", "wanted"):
            whole.set()
        return None

    await client.create(CONFIG_MAP, config("early"))
    controller = Controller("furniture", SECRET, reconcile, named=((CONFIG_MAP, "wanted", furniture),))
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as tasks:
            await start_controllers([controller], client, CLOCK, tasks)
            await client.create(CONFIG_MAP, config("other"))
            await client.create(CONFIG_MAP, config("wanted"))
            async with asyncio.timeout(60):
                await whole.wait()
            await client.delete(CONFIG_MAP, "wanted", "default")
            await eventually(lambda: len(heard) == 2)
            raise RuntimeError("end of the test")
    assert heard == ["wanted", "wanted"]


async def test_a_controller_makes_children_and_is_called_for_their_changes(client: Client) -> None:
    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        found = world.mirror(CONFIG_MAP).get(namespace, name)
        if found and "copy" in found["data"] and not world.mirror(SECRET).owned(found):
            child = SECRET.new(name, namespace, metadata={"ownerReferences": [meta.owner_reference(found)]})
            await world.client.create(SECRET, child)
        return None

    copier = Controller("copier", CONFIG_MAP, reconcile, watches=((SECRET, owner(CONFIG_MAP)),))
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as tasks:
            await start_controllers([copier], client, CLOCK, tasks)
            await client.create(CONFIG_MAP, config("source", copy="yes"))
            await client.wait(SECRET, "source", "default", lambda obj: obj is not None, timeout=60)
            await client.delete(SECRET, "source", "default")
            await client.wait(SECRET, "source", "default", lambda obj: obj is not None, timeout=60)
            raise RuntimeError("end of the test")


async def test_what_a_reconcile_raises_decides_what_is_next(client: Client) -> None:
    calls: dict[str, int] = {}

    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        calls[name] = calls.get(name, 0) + 1
        if name == "conflict" and calls[name] < 3:
            raise errors.Conflict("lost a race")
        if name == "hopeless":
            raise Terminal("said so in a condition")
        return None

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as tasks:
            await start_controllers([Controller("counting", CONFIG_MAP, reconcile)], client, CLOCK, tasks)
            for name in ("conflict", "hopeless"):
                await client.create(CONFIG_MAP, config(name))
            await eventually(lambda: calls.get("conflict") == 3 and calls.get("hopeless") == 1)
            await client.patch(CONFIG_MAP, "hopeless", "default", {"data": {"changed": "yes"}})
            await eventually(lambda: calls["hopeless"] == 2)
            raise RuntimeError("end of the test")


async def test_a_change_that_one_subscriber_cannot_read_is_heard_by_the_others(client: Client) -> None:
    mirror = Mirror(client, CONFIG_MAP, CLOCK)
    heard: list[str] = []

    def fails(old: Object | None, new: Object | None) -> None:
        raise KeyError("spec")

    mirror.subscribe(fails)
    mirror.subscribe(lambda old, new: heard.append(meta.name(new or old or {})))
    task = asyncio.create_task(mirror.run())
    await mirror.synced()
    await client.create(CONFIG_MAP, config("one"))
    await eventually(lambda: "one" in heard)
    await client.create(CONFIG_MAP, config("two"))
    await eventually(lambda: "two" in heard)
    task.cancel()


@pytest.mark.parametrize("failure", [KeyError("spec"), None])
async def test_a_service_that_ends_ends_all_and_is_named(
    failure: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(ready: Callable[[], None]) -> None:
        ready()
        await asyncio.sleep(0)
        if failure:
            raise failure

    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.TaskGroup() as tasks:
            await start_service("notices", run, tasks)
            await asyncio.Event().wait()
    assert "notices" in caplog.text + str(ended.value.exceptions)


async def test_an_owner_has_nothing_in_namespaces_of_others(client: Client) -> None:
    await client.create(NAMESPACE, NAMESPACE.new("another"))
    one = await client.create(CONFIG_MAP, config("owner"))
    references = {"ownerReferences": [meta.owner_reference(one)]}
    for namespace in ("default", "another"):
        await client.create(SECRET, SECRET.new("child", namespace, metadata=references))
    mirror = Mirror(client, SECRET, CLOCK)
    task = asyncio.create_task(mirror.run())
    await mirror.synced()
    assert [meta.key(child) for child in mirror.owned(one)] == [("default", "child")]
    task.cancel()
