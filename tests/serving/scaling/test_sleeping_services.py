"""A service that sleeps, is woken by a request and goes to sleep again, with real pods behind the real gateway."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from fairway.cluster.api.tokens import ISSUER
from fairway.cluster.network.build import NetworkConfig, build
from fairway.cluster.network.kinds import KINDS
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Feature, Parts, Platform
from fairway.kernel.objects.kinds import DEPLOYMENT, ENDPOINT_SLICE, HTTP_ROUTE, SERVICE, Object
from fairway.serving.scaling import contract as contracts
from fairway.serving.scaling.contract import Contract
from fairway.serving.scaling.controller import Autoscaler
from fairway.serving.scaling.decider import Spec
from fairway.testing.cluster import Cluster, cluster
from fairway.up.front import start
from tests.serving.conftest import TWO_FLOWERS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

FAST = Contract(
    scaler="kpa",
    service="iris",
    least=0,
    most=3,
    spec=Spec(target=7, total=10, stable_window=6.0),
    panic_window=1.0,
    timeout=20,
)


@dataclass
class House:
    cluster: Cluster
    url: str
    token: str

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"})

    async def replicas(self, count: int, *, timeout: float = 30) -> None:
        """Wait until that many pods are wanted and there."""

        def so(deployment: Object | None) -> bool:
            ready = ((deployment or {}).get("status") or {}).get("readyReplicas") or 0
            return deployment is not None and deployment["spec"].get("replicas") == count == ready

        await self.cluster.client.wait(DEPLOYMENT, "iris", "default", so, timeout=timeout)


def _a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _scaling(platform: Platform) -> Parts:
    autoscaler = Autoscaler(platform.clock, grace=1.0)
    return Parts(controllers=(autoscaler.controller(),), services=autoscaler.services())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with cluster(tmp_path, node=True, features=(Feature("scaling", _scaling),), kinds=KINDS) as here:
        port = _a_free_port()
        config = NetworkConfig(
            "127.0.0.1", port, ("127.0.0.1", _a_free_port()), tmp_path / "gateway", here.issuer.jwks(), ISSUER
        )
        await start((build(here.client, SystemClock(), config),), here.client, SystemClock(), here.tasks)
        token = here.issuer.mint("somebody", ("system:masters",), seconds=600)
        yield House(here, f"http://127.0.0.1:{port}/iris", token)


def _deployment(model: Path, contract: Contract) -> Object:
    flags = [f"--model_dir={model}", "--model_name=iris", "--host=$(POD_IP)"]
    container = {
        "name": "server",
        "image": "kserve/sklearnserver:latest",
        "command": ["python3", "-m", "fairway.serving.inpod"],
        "args": flags,
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"httpGet": {"path": "/v2/models/iris/ready", "port": 8080}, "periodSeconds": 5},
    }
    template = {
        "metadata": {"labels": {"app": "iris"}, "annotations": {"fairway.dev/warm": "sklearn-server"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 20},
    }
    spec = {"selector": {"matchLabels": {"app": "iris"}}, "template": template}
    return contracts.with_contract(DEPLOYMENT.new("iris", "default", spec=spec), contract)


async def _deploy(house: House, model: Path, contract: Contract = FAST) -> None:
    client = house.cluster.client
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    await client.create(SERVICE, SERVICE.new("iris", "default", spec={"selector": {"app": "iris"}, "ports": ports}))
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/iris"}}],
        "filters": [rewrite],
        "backendRefs": [{"name": "iris", "port": 80}],
    }
    parents = [{"name": "fairway", "namespace": "fairway-system"}]
    await client.create(HTTP_ROUTE, HTTP_ROUTE.new("iris", "default", spec={"parentRefs": parents, "rules": [rule]}))
    await client.create(DEPLOYMENT, _deployment(model, contract))
    await house.replicas(1)


async def _predict(house: House, session: aiohttp.ClientSession) -> tuple[int, str]:
    url = f"{house.url}/v1/models/iris:predict"
    async with session.post(url, json={"instances": TWO_FLOWERS}) as answer:
        return answer.status, await answer.text()


async def test_asleep_without_requests_and_awake_at_the_first(house: House, models: Path) -> None:
    await _deploy(house, models / "iris")
    await house.replicas(0)
    async with house.session() as session:
        began = time.monotonic()
        found = await asyncio.gather(*(_predict(house, session) for _ in range(20)))
        took = time.monotonic() - began
        assert set(found) == {(200, '{"predictions":[1,1]}')}
        print(f"awake in {took * 1000:.0f} ms")
        assert took < 5, "a second is the budget; a busy machine may need more"
        await house.replicas(1)
        for _ in range(50):  # the activator goes away again
            slices = await house.cluster.client.list(ENDPOINT_SLICE, "default")
            if all("activator" not in one["metadata"]["name"] for one in slices.items):
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the activator still stands before a service that is awake")
        assert await _predict(house, session) == (200, '{"predictions":[1,1]}')


async def test_no_request_fails_while_a_service_falls_asleep_and_wakes(house: House, models: Path) -> None:
    await _deploy(house, models / "iris")
    seen: list[tuple[int, str]] = []
    async with house.session() as session:
        for pause in (0.0, 6.5, 7.0, 7.3, 7.6, 8.0, 8.5, 9.0, 10.0):
            await asyncio.sleep(pause)
            seen += await asyncio.gather(*(_predict(house, session) for _ in range(3)))
    assert {status for status, _ in seen} == {200}, seen
