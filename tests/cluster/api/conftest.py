"""A real API server on a memory store: with TLS on a loopback port, and without a wire. Most tests run on both."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from tests.cluster.api.world import World


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates, made once: they are slow to make and the same for all."""
    folder = tmp_path_factory.mktemp("keys")
    certificates.ensure(folder)
    return folder


@pytest.fixture
async def world(keys: Path) -> AsyncGenerator[World, None]:
    store = MemoryStore()
    issuer = Issuer.load(keys)
    server = ApiServer(store, clock=SystemClock(), issuer=issuer)
    files = certificates.ensure(keys)
    port = await server.serve("127.0.0.1", 0, certificates.server_context(files))
    trust = ssl.create_default_context(cadata=files.ca_pem)
    world = World(server, store, issuer, f"https://127.0.0.1:{port}", trust)
    yield world
    await world.close()
    await server.close()


@pytest.fixture(params=["in-process", "http"])
async def client(request: pytest.FixtureRequest, world: World) -> AsyncGenerator[Client, None]:
    if request.param == "in-process":
        transport = world.server.transport(Identity("admin", (MASTERS,)))
    else:
        transport = HTTPTransport(world.url, token=world.token(), tls=world.tls)
    client = Client(transport)
    yield client
    await client.close()
