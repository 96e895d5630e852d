"""The whole way: a scientist deploys a model, pods are processes, Envoy is the gateway, clients call all the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fairway.cluster.api.identity.tokens import ISSUER
from fairway.cluster.network.build import NetworkConfig, build
from fairway.cluster.network.kinds import KINDS
from fairway.kernel.clock import SystemClock
from fairway.serving import sdk
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.testing.cluster import Cluster, cluster
from fairway.up.front import start
from tests.ports import free_port

from .conftest import TWO_FLOWERS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class House:
    cluster: Cluster
    gateway: str
    token: str

    async def deploy(self, model: Path, **predictor: Any) -> sdk.Service:
        call = partial(sdk.deploy, "iris", model, kubeconfig_file=self.cluster.kubeconfig, timeout=60, **predictor)
        return await asyncio.to_thread(call)

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with cluster(tmp_path, node=True, features=(FEATURE,), kinds=KINDS) as here:
        port = free_port()
        config = NetworkConfig(
            "127.0.0.1", port, ("127.0.0.1", free_port()), tmp_path / "gateway", here.issuer.jwks(), ISSUER
        )
        await start((build(here.client, SystemClock(), config),), here.client, SystemClock(), here.tasks)
        token = here.issuer.mint("somebody", ("system:masters",), seconds=600)
        yield House(here, f"http://127.0.0.1:{port}", token)


async def test_a_model_answers_by_path_and_by_host_and_updates_lose_no_request(
    house: House, two_versions: tuple[Path, Path]
) -> None:
    old, new = two_versions
    await house.deploy(old)
    by_path = f"{house.gateway}/serving/default/iris/v1/models/iris:predict"
    by_host = f"{house.gateway}/v2/models/iris/infer"
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": TWO_FLOWERS}
    async with house.session() as session:
        await _until_there(session, by_path)
        async with session.post(by_path, json={"instances": TWO_FLOWERS}) as answer:
            assert await answer.json() == {"predictions": [1, 1]}
        headers = {"Host": "iris-default.example.com"}
        async with session.post(by_host, json={"inputs": [tensor]}, headers=headers) as answer:
            assert (await answer.json())["outputs"][0]["data"] == [1, 1]
    async with aiohttp.ClientSession() as stranger, stranger.post(by_path, json={}) as answer:
        assert answer.status == 401

    seen: list[tuple[int, str]] = []
    stop = asyncio.Event()

    async def client() -> None:
        async with house.session() as session:
            while not stop.is_set():
                async with session.post(by_path, json={"instances": TWO_FLOWERS}) as answer:
                    seen.append((answer.status, await answer.text()))

    async with asyncio.TaskGroup() as clients:
        for _ in range(4):
            clients.create_task(client())
        for model in (new, old, new):
            await house.deploy(model)
            await asyncio.sleep(2)  # the old pod drains while requests go on
        stop.set()
    assert len(seen) > 500
    assert {status for status, _ in seen} == {200}, [one for one in seen if one[0] != 200][:5]
    assert {text for _, text in seen} == {'{"predictions":[1,1]}', '{"predictions":[7,8]}'}
    assert seen[-1][1] == '{"predictions":[7,8]}'


async def test_the_scientist_is_told_why_a_model_cannot_be_served(house: House, tmp_path: Path) -> None:
    with pytest.raises(sdk.ServingError, match=r"nowhere does not exist; set storageUri to a model file"):
        await house.deploy(tmp_path / "nowhere", minReplicas=2)
    with pytest.raises(sdk.ServingError):
        await house.deploy(tmp_path / "nowhere")
    isvc = await house.cluster.client.get(INFERENCE_SERVICE, "iris", "default")
    assert "minReplicas" not in isvc["spec"]["predictor"], "what is not asked for any more goes"


async def _until_there(session: aiohttp.ClientSession, url: str) -> None:
    """The gateway learns of a route a moment after it accepted it."""
    async with asyncio.timeout(60):
        while True:
            async with session.post(url, json={"instances": TWO_FLOWERS}) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)
