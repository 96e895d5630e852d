"""Logger and batcher as a service asks for them: the sidecar in the pod, events at a sink, rows laid together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import POD
from fairway.serving.kinds import INFERENCE_SERVICE

from .conftest import TWO_FLOWERS
from .test_through_the_gateway import House, house
from .test_transformers import asked

__all__ = ["house"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_requests_are_logged_and_batched(house: House, models: Any) -> None:
    events: list[str] = []

    async def take(request: web.Request) -> web.Response:
        events.append(request.headers["ce-type"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    sink = web.TCPSite(runner, "127.0.0.1", 0)
    await sink.start()
    predictor = {
        "sklearn": {"storageUri": str(models / "iris")},
        "logger": {"mode": "all", "url": f"{sink.name}/"},
        "batcher": {"maxBatchSize": 8, "maxLatency": 300},
    }
    client = house.cluster.client
    made = INFERENCE_SERVICE.new("iris", "default", spec={"predictor": predictor})
    await client.create(INFERENCE_SERVICE, made)
    await client.wait(
        INFERENCE_SERVICE, "iris", "default", lambda obj: conditions.is_true(obj or {}, "Ready"), timeout=60
    )
    (pod,) = (await client.list(POD, "default")).items
    assert [one["name"] for one in pod["spec"]["containers"]] == ["kserve-container", "agent"]
    assert pod["metadata"]["annotations"]["prometheus.kserve.io/port"] == "9081"
    async with house.session() as session:
        url = f"{house.gateway}/serving/default/iris/v1/models/iris:predict"
        answers = await asyncio.gather(*(asked(session, url) for _ in range(4)))
    assert all(answer["predictions"] == [1, 1] for answer in answers), TWO_FLOWERS
    assert len({answer["batchId"] for answer in answers}) == 1
    async with asyncio.timeout(60):
        while len(events) < 8:
            await asyncio.sleep(0.05)
    assert set(events) == {
        "org.kubeflow.serving.inference.request",
        "org.kubeflow.serving.inference.response",
    }
    await runner.cleanup()
