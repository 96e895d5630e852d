"""Servers of aggregated APIs are looked at from time to time, whatever is told of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.workloads import api_services
from fairway.kernel.client.client import Client
from fairway.kernel.clock import FakeClock
from fairway.kernel.control import running
from fairway.kernel.feature import Identity
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import API_SERVICE, CONFIG_MAP, ENDPOINT_SLICE, NAMESPACE, SERVICE, Object

NAME = "v1.things.example.com"


async def test_a_server_that_fails_in_other_words_each_time_is_asked_when_its_time_comes(tmp_path: Path) -> None:
    clock, looks = FakeClock(), 0

    async def look(name: str) -> str:
        nonlocal looks
        looks += name == NAME
        return f"failing or missing response, for the {looks}. time"

    def told(service: Object | None) -> int:
        message = str((conditions.find(service or {}, "Available") or {}).get("message") or "")
        return int(message.rpartition("the ")[2].partition(".")[0]) if "for the" in message else 0

    api = ApiServer(MemoryStore(), clock=clock, issuer=Issuer.load(tmp_path))
    client = Client(api.transport(Identity("admin", ("system:masters",))))
    await client.create(NAMESPACE, NAMESPACE.new("things"))
    await client.create(SERVICE, SERVICE.new("server", "things", spec={"ports": [{"port": 443}]}))
    labels = {"labels": {"kubernetes.io/service-name": "server"}}
    endpoints: Object = {
        **ENDPOINT_SLICE.new("server", "things", metadata=labels),
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.64.0.9"], "conditions": {"ready": True}}],
        "ports": [{"port": 443}],
    }
    await client.create(ENDPOINT_SLICE, endpoints)
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(_run(client, clock, look))
        spec = {
            "group": "things.example.com", "version": "v1", "service": {"namespace": "things", "name": "server"},
            "groupPriorityMinimum": 1000, "versionPriority": 10, "insecureSkipTLSVerify": True,
        }  # fmt: skip
        await client.create(API_SERVICE, API_SERVICE.new(NAME, spec=spec))
        await client.wait(API_SERVICE, NAME, None, lambda one: told(one) == 1, timeout=60)
        for number in range(20):
            await client.create(CONFIG_MAP, CONFIG_MAP.new(f"c{number}", "things"))
        assert looks == 1
        await clock.advance(1)
        await client.wait(API_SERVICE, NAME, None, lambda one: told(one) == 2, timeout=60)
        work.cancel()


async def _run(client: Client, clock: FakeClock, look: api_services.Look) -> None:
    async with asyncio.TaskGroup() as tasks:
        await running.start_controllers((api_services.controller(look),), client, clock, tasks)
