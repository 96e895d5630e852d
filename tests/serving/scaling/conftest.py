"""A house for services that scale and change: real pods, the real gateway, and clients that never stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fairway.cluster.api.identity.tokens import ISSUER
from fairway.cluster.network.build import NetworkConfig, build
from fairway.cluster.network.kinds import KINDS
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Feature
from fairway.kernel.objects.kinds import DEPLOYMENT, Object
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.settings import ServingSettings
from fairway.testing.cluster import Cluster, cluster
from fairway.up.front import start
from tests.ports import free_port
from tests.serving.conftest import TWO_FLOWERS

PREDICT = {"instances": TWO_FLOWERS}


@dataclass
class Heard:
    """What the client that never stops was answered: how often which status and text, and what was refused when."""

    statuses: Counter[int] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)

    @property
    def count(self) -> int:
        return self.statuses.total() + len(self.failures)

    def note(self, status: int, text: str) -> None:
        self.statuses[status] += 1
        self.texts[text] += 1
        if status != 200:
            self.refused.append(f"after {time.monotonic() - self.since:.3f} s: {status} {text[:200]}")

    def without_failure(self) -> None:
        assert not self.failures
        assert not self.refused, f"of {self.count}: {self.refused[:5]}"


@dataclass
class House:
    cluster: Cluster
    url: str
    token: str

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"})

    async def deploy(self, model: Path, name: str = "iris", annotations: Any = None, **predictor: Any) -> None:
        block = {"modelFormat": {"name": "sklearn"}, "storageUri": str(model)}
        spec = {"predictor": {"model": block, **predictor}}
        isvc = INFERENCE_SERVICE.new(name, "default", metadata={"annotations": annotations or {}}, spec=spec)
        await self.cluster.client.create(INFERENCE_SERVICE, isvc)

    async def change(self, patch: Object, name: str = "iris") -> None:
        await self.cluster.client.patch(INFERENCE_SERVICE, name, "default", patch)

    async def until(self, holds: Callable[[Object], bool], name: str = "iris", timeout: float = 60) -> Object:
        """The status, once it holds and is of the newest generation."""

        def settled(obj: Object | None) -> bool:
            status = (obj or {}).get("status") or {}
            newest = obj is not None and status.get("observedGeneration") == obj["metadata"]["generation"]
            return newest and holds(status)

        found = await self.cluster.client.wait(INFERENCE_SERVICE, name, "default", settled, timeout=timeout)
        assert found is not None
        return dict(found["status"])

    async def replicas(self, count: int, name: str = "iris", *, timeout: float = 60) -> None:
        """Wait until that many pods are wanted and there."""

        def so(deployment: Object | None) -> bool:
            ready = ((deployment or {}).get("status") or {}).get("readyReplicas") or 0
            return deployment is not None and deployment["spec"].get("replicas") == count == ready

        await self.cluster.client.wait(DEPLOYMENT, name, "default", so, timeout=timeout)

    async def predict(self, session: aiohttp.ClientSession, path: str = "/iris") -> tuple[int, str]:
        async with session.post(f"{self.url}{path}/v1/models/iris:predict", json=PREDICT) as answer:
            return answer.status, await answer.text()

    @asynccontextmanager
    async def calling(self, path: str, *, clients: int = 3, pause: float = 0.005) -> AsyncIterator[Heard]:
        """Requests all along, one after the other from each client."""
        heard, end = Heard(), asyncio.Event()

        async def call() -> None:
            async with self.session() as session:
                while not end.is_set():
                    try:
                        status, text = await self.predict(session, path)
                    except aiohttp.ClientError as failure:
                        heard.failures.append(repr(failure))
                    else:
                        heard.note(status, text)
                    await asyncio.sleep(pause)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(call())
            yield heard
            end.set()


@asynccontextmanager
async def open_house(folder: Path, feature: Feature) -> AsyncIterator[House]:
    port = free_port()
    settings = (ServingSettings(scale_to_zero_grace="1s"),)
    url = f"http://127.0.0.1:{port}"
    async with cluster(folder, node=True, features=(feature,), kinds=KINDS, public_url=url, settings=settings) as here:
        config = NetworkConfig(
            "127.0.0.1", port, ("127.0.0.1", free_port()), folder / "gateway", here.issuer.jwks(), ISSUER
        )
        await start((build(here.client, SystemClock(), config),), here.client, SystemClock(), here.tasks)
        token = here.issuer.mint("somebody", ("system:masters",), seconds=600)
        yield House(here, url, token)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    """With the whole of serving."""
    async with open_house(tmp_path, FEATURE) as here:
        yield here
