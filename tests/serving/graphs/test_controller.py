"""The controller of graphs against the real API; Deployments and the gateway are played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.network.kinds import KINDS
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.control import running
from fairway.kernel.feature import Identity
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import CRD, DEPLOYMENT, HTTP_ROUTE, NAMESPACE, SERVICE, Object
from fairway.serving import kinds
from fairway.serving.graphs import controller
from fairway.serving.graphs.kinds import INFERENCE_GRAPH, KIND, STOP
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.render.place import Place

NODES = {"root": {"routerType": "Sequence", "steps": [{"serviceName": "iris"}]}}


class Here:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def create(self, nodes: Any = NODES) -> None:
        await self.client.create(INFERENCE_GRAPH, INFERENCE_GRAPH.new("g", "default", spec={"nodes": nodes}))

    async def service(self, **predictor: Any) -> None:
        spec = {"predictor": {"sklearn": predictor}}
        await self.client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new("iris", "default", spec=spec))

    async def until(self, holds: Callable[[Object], bool]) -> Object:
        found = await self.client.wait(
            INFERENCE_GRAPH, "g", "default", lambda one: one is not None and holds(one), timeout=60
        )
        assert found is not None
        return found

    async def until_ready(self, status: str, reason: str = "") -> Object:
        def holds(graph: Object) -> bool:
            said = conditions.find(graph, "Ready") or {}
            return said.get("status") == status and said.get("reason", "") == reason

        return await self.until(holds)

    async def deployment(self, holds: Callable[[Object], bool] = bool) -> Object:
        found = await self.client.wait(
            DEPLOYMENT, "g", "default", lambda one: one is not None and holds(one), timeout=60
        )
        assert found is not None
        return found

    async def play(self) -> None:
        """The router runs, and the gateway takes the routes."""
        found = await self.deployment()
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 1)
        generation = {"observedGeneration": found["metadata"]["generation"]}
        await self.client.patch_status(DEPLOYMENT, "g", "default", {**counts, **generation})
        for name in ("g.graph", "g.graph.path"):
            route = await self.client.wait(HTTP_ROUTE, name, "default", lambda one: one is not None, timeout=60)
            assert route is not None
            accepted = {"type": "Accepted", "status": "True", "reason": "Accepted"}
            told = {**accepted, "observedGeneration": route["metadata"]["generation"]}
            parents = [{"parentRef": route["spec"]["parentRefs"][0], "controllerName": "x", "conditions": [told]}]
            await self.client.patch_status(HTTP_ROUTE, name, "default", {"parents": parents})


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    clock = SystemClock()
    client = Client(
        ApiServer(MemoryStore(), clock=clock, issuer=Issuer.load(tmp_path)).transport(
            Identity("admin", ("system:masters",))
        )
    )
    if not await client.find(NAMESPACE, "default"):
        await client.create(NAMESPACE, NAMESPACE.new("default"))
    for kind in (*KINDS, kinds.KIND, KIND):
        await client.create(CRD, kind.definition())
    async with asyncio.TaskGroup() as tasks:

        async def control() -> None:
            async with asyncio.TaskGroup() as inner:
                place = Place("example.com", "http://127.0.0.1:8080")
                await running.start_controllers((controller.build(place),), client, clock, inner)

        controlling = tasks.create_task(control())
        yield Here(client)
        controlling.cancel()


async def test_a_graph_waits_for_its_services_and_becomes_ready(here: Here) -> None:
    await here.create()
    waiting = await here.until_ready("False", "ServiceNotFound")
    assert "InferenceService iris" in (conditions.find(waiting, "Ready") or {})["message"]
    await here.service()
    await here.play()
    status = (await here.until_ready("True"))["status"]
    assert status["url"] == "http://g-default.example.com"
    assert status["address"] == {"url": "http://127.0.0.1:8080/graphs/default/g"}
    assert (conditions.find({"status": status}, "Stopped") or {})["status"] == "False"


async def test_a_service_whose_address_changes_changes_the_router(here: Here) -> None:
    await here.service()
    await here.create()
    before = meta.annotations(await here.deployment())
    spec = {"predictor": {"sklearn": {"args": ["--model_name=other"]}}}
    await here.client.patch(INFERENCE_SERVICE, "iris", "default", {"spec": spec})
    after = await here.deployment(lambda one: meta.annotations(one) != before)
    graph = json.loads(after["spec"]["template"]["spec"]["containers"][0]["args"][-1])
    assert graph["nodes"]["root"]["steps"][0]["serviceUrl"].endswith("/v1/models/other:predict")


async def test_a_mistake_is_a_condition_and_what_runs_goes_on(here: Here) -> None:
    await here.service()
    await here.create()
    await here.play()
    await here.until_ready("True")
    await here.client.patch(INFERENCE_GRAPH, "g", "default", {"spec": {"nodes": {"root": {"steps": []}}}})
    await here.until_ready("False", "InvalidGraph")
    assert await here.client.find(DEPLOYMENT, "g", "default")


async def test_stopped_nothing_runs_and_the_graph_stays(here: Here) -> None:
    await here.service()
    await here.create()
    await here.deployment()
    await here.client.patch(INFERENCE_GRAPH, "g", "default", {"metadata": {"annotations": {STOP: "true"}}})
    await here.until_ready("False", "Stopped")
    for kind, name in ((DEPLOYMENT, "g"), (SERVICE, "g"), (HTTP_ROUTE, "g.graph")):
        with pytest.raises(errors.NotFound):
            await here.client.get(kind, name, "default")
