"""The real API on a memory store with the room's controllers, and a pretend node that runs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.workloads.build import KINDS, build
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, SystemClock
from fairway.kernel.control import running
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import EVENT, NAMESPACE, NODE, POD, Kind, Object
from fairway.up.front import install

SEEN_WITHIN = 60.0


class Node:
    """Says of every pod bound to it that it runs and is ready, or what `behave` says instead."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._pods = Mirror(client, POD, clock)
        self._work: asyncio.Queue[Object] = asyncio.Queue()
        self._addresses = 0
        self.behave: Callable[[Object], Object | None] = lambda pod: self.running()

    async def run(self) -> None:
        def changed(old: Object | None, new: Object | None) -> None:
            if new is not None:
                self._work.put_nowait(new)

        self._pods.subscribe(changed)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pods.run())
            while True:
                await self._attend(await self._work.get())

    def running(self) -> Object:
        self._addresses += 1
        return {
            "phase": "Running",
            "podIP": f"127.64.{self._addresses // 250}.{self._addresses % 250 + 1}",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}],
        }

    async def _attend(self, pod: Object) -> None:
        name, namespace = meta.name(pod), meta.namespace(pod)
        try:
            if meta.being_deleted(pod):
                await self._client.delete(POD, name, namespace, grace_seconds=0, uid=meta.uid(pod))
            elif waits_for_its_node(pod) and (status := self.behave(pod)):
                await self._client.patch_status(POD, name, namespace, status)
        except errors.ApiError:
            pass  # the pod has moved on; its next event comes


class Here:
    """What a test holds: a client, the pretend node, and waits on conditions."""

    def __init__(self, client: Client, node: Node) -> None:
        self.client, self.node = client, node

    async def until(
        self, kind: Kind, name: str, holds: Callable[[Object], Any], namespace: str | None = "default"
    ) -> Object:
        found = await self.client.wait(
            kind, name, namespace, lambda obj: obj is not None and bool(holds(obj)), timeout=SEEN_WITHIN
        )
        assert found is not None
        return found

    async def until_gone(self, kind: Kind, name: str, namespace: str | None = "default") -> None:
        await self.client.wait(kind, name, namespace, lambda obj: obj is None, timeout=SEEN_WITHIN)

    async def pods(self, labels: str = "", namespace: str = "default") -> list[Object]:
        return (await self.client.list(POD, namespace, labels=labels)).items

    async def finish(self, pod: Object, phase: str = "Succeeded") -> None:
        await self.client.patch_status(POD, meta.name(pod), meta.namespace(pod), {"phase": phase})

    async def first_event_of(self, name: str) -> Object:
        """The first event that tells of the object, as soon as there is one."""
        async with asyncio.timeout(SEEN_WITHIN):
            events = self.client.watch(EVENT, "default", fields=f"involvedObject.name={name}")
            async with aclosing(events):
                async for event in events:
                    if event.type == "ADDED":
                        return event.object
        raise AssertionError("the watch ended")

    async def until_pods(self, holds: Callable[[list[Object]], bool], labels: str = "") -> list[Object]:
        """Wait until the pods are as `holds` says, looking after each change of any of them."""
        async with asyncio.timeout(SEEN_WITHIN):
            while True:
                page = await self.client.list(POD, "default", labels=labels)
                if holds(page.items):
                    return page.items
                events = self.client.watch(POD, "default", since=page.revision)
                async for event in events:
                    if event.type != "BOOKMARK":
                        break
                await events.aclose()


def waits_for_its_node(pod: Object) -> bool:
    return bool(pod["spec"].get("nodeName")) and (pod.get("status") or {}).get("phase", "Pending") == "Pending"


def new_node(name: str = "here", **allocatable: str) -> Object:
    offers = {"cpu": "8", "memory": "16Gi", "pods": "1000", **allocatable}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    return NODE.new(name, status={"allocatable": offers, "capacity": offers, "conditions": [ready]})


async def add_node(client: Client, node: Object) -> None:
    await client.create(NODE, node)
    await client.patch_status(NODE, meta.name(node), None, node["status"])


@asynccontextmanager
async def cluster(folder: Path, clock: Clock | None = None, *, node: bool = True) -> AsyncGenerator[Here, None]:
    clock = clock or SystemClock()
    api = ApiServer(MemoryStore(), clock=clock, issuer=Issuer.load(folder))
    client = Client(api.transport(Identity("admin", ("system:masters",))))
    if not await client.find(NAMESPACE, "default"):
        await client.create(NAMESPACE, NAMESPACE.new("default"))
    await install(client, KINDS)
    parts = build(client, clock, ca_pem="the certificate authority", job_retry_delay=10.0)
    pretend = Node(client, clock)
    async with asyncio.TaskGroup() as tasks:
        everything = tasks.create_task(_run(parts, client, clock, pretend, started := asyncio.Event()))
        if node:
            await add_node(client, new_node())
        await started.wait()
        yield Here(client, pretend)
        everything.cancel()


async def _run(parts: Any, client: Client, clock: Clock, node: Node, started: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        await running.start_controllers(parts.controllers, client, clock, tasks)
        for service in parts.services:
            await running.start_service(service.name, service.run, tasks)
        tasks.create_task(node.run())
        started.set()
