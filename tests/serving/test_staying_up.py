"""Health while predictions are slow, refusals beyond capacity, and a drain that loses no request."""

import asyncio
import time
from pathlib import Path

import aiohttp

from .conftest import TWO_FLOWERS, Server, serving

PREDICT = "/v1/models/m:predict"


async def test_a_slow_prediction_does_not_keep_health_waiting(models: Path) -> None:
    """KServe's own server answers health only after the prediction."""
    async with serving(models / "slow") as server:
        slow = asyncio.create_task(server.post(PREDICT, {"instances": [[0.5]]}))
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        assert (await server.get("/v2/health/live"))[0] == 200
        assert time.perf_counter() - started < 0.3
        assert not slow.done()
        assert (await slow)[0] == 200


async def test_beyond_its_capacity_it_refuses_at_once(models: Path) -> None:
    """One at work and ten waiting, as Knative has it for a concurrency of one."""
    async with serving(models / "slow", "--container_concurrency=1") as server:
        many = [asyncio.create_task(server.post(PREDICT, {"instances": [[0.03]]})) for _ in range(20)]
        answers = await asyncio.gather(*many)
        counts = {status: sum(answer[0] == status for answer in answers) for status in (200, 503)}
        assert counts == {200: 11, 503: 9}
        assert (await server.post(PREDICT, {"instances": [[0]]}))[0] == 200
        async with server.session.get(server.url + "/metrics") as page:
            text = await page.text()
    assert 'fairway_inference_requests_total{model_name="m",protocol="v1",code="200"} 12' in text
    assert 'fairway_inference_requests_total{model_name="m",protocol="v1",code="503"} 9' in text
    assert 'fairway_request_seconds_bucket{model_name="m",le="+Inf"} 21' in text
    assert 'request_predict_seconds_bucket{model_name="m",le="+Inf"} 12' in text
    assert "fairway_inference_requests_inside 0" in text


async def test_work_whose_client_has_gone_is_not_done(models: Path) -> None:
    async with serving(models / "slow", "--container_concurrency=1") as server:
        first = asyncio.create_task(server.post(PREDICT, {"instances": [[0.2]]}))
        await asyncio.sleep(0.05)
        for _ in range(5):
            gone = asyncio.create_task(server.post(PREDICT, {"instances": [[0.5]]}))
            await asyncio.sleep(0.01)
            gone.cancel()
        await first
        started = time.perf_counter()
        assert (await server.post(PREDICT, {"instances": [[0]]}))[0] == 200
        assert time.perf_counter() - started < 0.4


async def test_draining_it_is_not_ready_still_answers_and_finishes_what_it_began(models: Path) -> None:
    async with serving(models / "slow") as server:
        await server.get("/v2/health/ready")
        long = asyncio.create_task(server.post(PREDICT, {"instances": [[0.6]]}))
        await asyncio.sleep(0.02)
        server.end.set()
        await asyncio.sleep(0.02)
        assert (await server.get("/v2/models/m/ready"))[0] == 503
        assert (await server.get("/v2/health/live"))[0] == 200
        assert (await server.post(PREDICT, {"instances": [[0]]}))[0] == 200
        assert (await long)[0] == 200
        await asyncio.wait_for(server.done, 60)


async def test_a_rolling_update_under_load_loses_no_request(models: Path) -> None:
    """Eight clients with kept connections; each goes where the gateway would send it."""
    async with serving(models / "iris") as old, serving(models / "iris") as new:
        endpoints: list[Server] = [old]
        answers: list[int] = []
        stop = asyncio.Event()

        async def client() -> None:
            async with aiohttp.ClientSession() as session:
                while not stop.is_set():
                    url = endpoints[0].url + PREDICT
                    async with session.post(url, json={"instances": TWO_FLOWERS}) as answer:
                        assert await answer.json() == {"predictions": [1, 1]}
                        answers.append(answer.status)

        async with asyncio.TaskGroup() as clients:
            for _ in range(8):
                clients.create_task(client())
            await asyncio.sleep(0.2)
            old.end.set()  # the pod is told to go; the gateway hears of it a little later
            await asyncio.sleep(0.1)
            endpoints[0] = new
            await asyncio.wait_for(old.done, 60)
            await asyncio.sleep(0.1)
            stop.set()
    assert len(answers) > 50
    assert set(answers) == {200}
