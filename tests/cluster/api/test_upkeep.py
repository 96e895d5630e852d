"""What outlives a server, and what it does in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairway.cluster.api import upkeep
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.kernel import clock as time
from fairway.kernel.client.client import Client
from fairway.kernel.clock import FakeClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, CRD, EVENT, SERVICE
from tests.cluster.api.world import WIDGET, define

ADMIN = Identity("admin", ("system:masters",))


@asynccontextmanager
async def running(server: ApiServer) -> AsyncIterator[None]:
    """The server's background work, once it is ready."""
    ready = asyncio.Event()
    task = asyncio.create_task(server.run(ready.set))
    await ready.wait()
    yield
    task.cancel()
    await asyncio.wait((task,))


async def test_a_restarted_server_goes_on_where_it_was(tmp_path: Path, keys: Path) -> None:
    async def start() -> tuple[SQLiteStore, Client]:
        store = await SQLiteStore.open(tmp_path / "state.db")
        server = ApiServer(store, clock=FakeClock(), issuer=Issuer.load(keys))
        return store, Client(server.transport(ADMIN))

    store, client = await start()
    await define(client)
    await client.create(WIDGET.kind, WIDGET.kind.new("w", "default", spec={"size": 1}))
    service = SERVICE.new("s", "default", spec={"ports": [{"port": 80}]})
    taken = (await client.create(SERVICE, service))["spec"]["clusterIP"]
    newest = store.revision
    await store.close()

    store, client = await start()
    assert (await client.get(WIDGET.kind, "w", "default"))["spec"]["size"] == 1
    other = await client.create(SERVICE, SERVICE.new("t", "default", spec={"ports": [{"port": 80}]}))
    assert other["spec"]["clusterIP"] != taken
    assert meta.revision(other) > newest
    with pytest.raises(errors.AlreadyExists):
        await client.create(SERVICE, service)
    await store.close()


async def test_old_events_and_old_history_go(keys: Path) -> None:
    clock, store = FakeClock(), MemoryStore()
    server = ApiServer(store, clock=clock, issuer=Issuer.load(keys))
    client = Client(server.transport(ADMIN))
    async with running(server):
        for name, age in (("old", 2), ("fresh", -1)):
            seen = time.timestamp(clock.now() - age * upkeep.EVENT_SECONDS)
            about = {"kind": "Pod", "name": "p", "namespace": "default"}
            await client.create(EVENT, EVENT.new(name, "default", involvedObject=about, lastTimestamp=seen))
        await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
        before = store.revision
        await clock.advance(3 * upkeep.HISTORY_SECONDS)
        async with asyncio.timeout(60):
            while len((await client.list(EVENT, "default")).items) > 1:
                await asyncio.sleep(0)
        assert [meta.name(event) for event in (await client.list(EVENT, "default")).items] == ["fresh"]
        assert store.compacted >= before - 1
        with pytest.raises(errors.Expired):
            await anext(client.watch(CONFIG_MAP, since="1"))
    assert await client.get(CONFIG_MAP, "c", "default")


async def test_a_definition_whose_deletion_was_cut_off_is_finished(keys: Path) -> None:
    store = MemoryStore()
    client = Client(ApiServer(store, clock=FakeClock(), issuer=Issuer.load(keys)).transport(ADMIN))
    await define(client)
    held = WIDGET.kind.new("w", "default", spec={"size": 1}, metadata={"finalizers": ["a.b/c"]})
    await client.create(WIDGET.kind, held)
    await client.delete(CRD, WIDGET.kind.resource)
    # As a server leaves it that is killed between the object's end and the definition's.
    record = store.list(WIDGET.kind.resource).records[0]
    await store.delete(record.key, record.revision)

    again = ApiServer(store, clock=FakeClock(), issuer=Issuer.load(keys))
    async with running(again):
        async with asyncio.timeout(60):
            while await Client(again.transport(ADMIN)).find(CRD, WIDGET.kind.resource):
                await asyncio.sleep(0)
