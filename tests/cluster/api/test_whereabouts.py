"""The Service `kubernetes` says where the server is, at each start anew, and takes nobody's Service away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, SERVICE, VALIDATING_WEBHOOK_CONFIGURATION, Kind
from fairway.up import roles
from fairway.up.front import install
from tests.cluster.api.world import WIDGET, World


def client_of(server: ApiServer) -> Client:
    return Client(server.transport(Identity("admin", ("system:masters",))))


async def told(client: Client) -> tuple[str, int, int]:
    service = await client.get(SERVICE, "kubernetes", "default")
    found = await client.list(ENDPOINT_SLICE, "default", labels="kubernetes.io/service-name=kubernetes")
    (one,) = found.items
    return one["endpoints"][0]["addresses"][0], one["ports"][0]["port"], service["spec"]["ports"][0]["port"]


async def test_the_service_follows_the_port(world: World) -> None:
    first = int(world.url.rpartition(":")[2])
    assert await told(client_of(world.server)) == ("127.0.0.1", first, first)
    again = ApiServer(world.store, clock=SystemClock(), issuer=world.issuer)
    port = await again.serve("127.0.0.1", 0, None)
    assert await told(client_of(again)) == ("127.0.0.1", port, port)
    assert port != first
    await again.close()


async def test_somebody_elses_service_stays(world: World, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    server = ApiServer(store, clock=SystemClock(), issuer=world.issuer)
    client = client_of(server)
    await client.create(SERVICE, SERVICE.new("kubernetes", "default", spec={"ports": [{"port": 80}]}))
    await server.serve("127.0.0.1", 0, None)
    assert (await client.get(SERVICE, "kubernetes", "default"))["spec"]["ports"][0]["port"] == 80
    assert "stays as it is" in caplog.text
    await server.close()
    await store.close()


async def test_a_webhook_that_is_not_there_keeps_nobody_from_starting(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Only through the server that starts could it be taken away."""
    client = client_of(world.server)
    await install(client, (WIDGET,))
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    webhook = {
        "name": "all.example.dev",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    await client.create(
        VALIDATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION.new("all", webhooks=[webhook])
    )
    again = ApiServer(world.store, clock=SystemClock(), issuer=world.issuer)
    await again.serve("127.0.0.1", 0, None)
    assert "does not say where the server is" in caplog.text
    client = client_of(again)
    await roles.keep(client, (WIDGET,))
    await install(client, (replace(WIDGET, short_names=("w",)),))  # an older one stays
    gadget = replace(WIDGET, kind=Kind("example.dev", "v1", "Gadget", "gadgets"), short_names=())
    installing = asyncio.create_task(install(client, (gadget,)))
    async with asyncio.timeout(30):
        while "gadgets" not in caplog.text:
            await asyncio.sleep(0)
        await client.delete(VALIDATING_WEBHOOK_CONFIGURATION, "all", None)
        await installing  # as soon as somebody has mended it
    await again.close()
