"""Health while predictions are slow, refusals beyond capacity, and a drain that loses no request."""

import asyncio
from pathlib import Path

import aiohttp

from .conftest import TWO_FLOWERS, Server, serving

PREDICT = "/v1/models/m:predict"


async def test_a_slow_prediction_does_not_keep_health_waiting(gated: Path, gate: Path) -> None:
    """KServe's own server answers health only after the prediction."""
    async with serving(gated) as server:
        slow = asyncio.create_task(server.post(PREDICT, {"instances": [[1]]}))
        await server.inside(1)
        assert (await server.get("/v2/health/live"))[0] == 200
        assert not slow.done()
        gate.touch()
        assert (await slow)[0] == 200


async def test_beyond_its_capacity_it_refuses_at_once(gated: Path, gate: Path) -> None:
    """One at work and ten waiting, as Knative has it for a concurrency of one."""
    async with serving(gated, "--container_concurrency=1") as server:
        many = [asyncio.create_task(server.post(PREDICT, {"instances": [[1]]})) for _ in range(20)]
        while sum(one.done() for one in many) < 9:
            await asyncio.sleep(0.005)
        gate.touch()
        answers = await asyncio.gather(*many)
        counts = {status: sum(answer[0] == status for answer in answers) for status in (200, 503)}
        assert counts == {200: 11, 503: 9}
        assert (await server.post(PREDICT, {"instances": [[0]]}))[0] == 200
        text = await server.metrics()
    assert 'fairway_inference_requests_total{model_name="m",protocol="v1",code="200"} 12' in text
    assert 'fairway_inference_requests_total{model_name="m",protocol="v1",code="503"} 9' in text
    assert 'fairway_request_seconds_bucket{model_name="m",le="+Inf"} 21' in text
    assert 'request_predict_seconds_bucket{model_name="m",le="+Inf"} 12' in text
    assert "fairway_inference_requests_inside 0" in text


async def test_work_whose_client_has_gone_is_not_done(gated: Path, gate: Path) -> None:
    async with serving(gated, "--container_concurrency=1") as server:
        first = asyncio.create_task(server.post(PREDICT, {"instances": [[1]]}))
        await server.inside(1)
        for number in range(5):
            gone = asyncio.create_task(server.post(PREDICT, {"instances": [[1]]}))
            await server.inside(2 + number)  # those who have gone keep their place until it is their turn
            gone.cancel()
        await server.metrics()  # by the time of an answer, the server has seen who left before the question
        gate.touch()
        assert (await first)[0] == 200
        assert (await server.post(PREDICT, {"instances": [[0]]}))[0] == 200
        assert 'request_predict_seconds_bucket{model_name="m",le="+Inf"} 2' in await server.metrics()


async def test_draining_it_is_not_ready_still_answers_and_finishes_what_it_began(gated: Path, gate: Path) -> None:
    async with serving(gated, "--linger=1") as server:
        await server.get("/v2/health/ready")
        long = asyncio.create_task(server.post(PREDICT, {"instances": [[1]]}))
        await server.inside(1)
        server.end.set()
        while (await server.get("/v2/models/m/ready"))[0] != 503:
            await asyncio.sleep(0.005)
        assert (await server.get("/v2/health/live"))[0] == 200
        assert (await server.post(PREDICT, {"instances": [[0]]}))[0] == 200
        assert not long.done()
        gate.touch()
        assert (await long)[0] == 200
        await asyncio.wait_for(server.done, 60)


async def test_a_rolling_update_under_load_loses_no_request(models: Path) -> None:
    """Eight clients with kept connections; each goes where the gateway would send it."""
    async with serving(models / "iris") as old, serving(models / "iris") as new:
        endpoints: list[Server] = [old]
        answers: list[int] = []
        stop = asyncio.Event()

        async def more_than(count: int) -> None:
            while len(answers) <= count:
                await asyncio.sleep(0.01)

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
            await more_than(20)
            old.end.set()  # the pod is told to go; the gateway hears of it a little later
            await asyncio.sleep(0.1)
            endpoints[0] = new
            await asyncio.wait_for(old.done, 60)
            await more_than(len(answers) + 20)
            stop.set()
    assert set(answers) == {200}


APPLICATION = """
import asyncio
from pathlib import Path

inside = most = 0

async def app(scope, receive, send):
    global inside, most
    if scope["type"] != "http":
        return
    inside += 1
    most = max(most, inside)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"most ", "more_body": True})
    while not Path(__file__).with_name("gate").exists():
        await asyncio.sleep(0.005)
    inside -= 1
    await send({"type": "http.response.body", "body": b"%d" % most})
"""


async def test_an_application_has_the_limit_of_a_model_to_the_end_of_its_streams(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    async with serving(tmp_path, "--model_format=asgi", "--container_concurrency=1") as server:

        async def ask() -> tuple[int, str]:
            async with server.session.post(server.url + "/anything") as answer:
                return answer.status, await answer.text()

        asked = [asyncio.create_task(ask())]
        await server.inside(1)  # at work; the others wait
        asked += [asyncio.create_task(ask()) for _ in range(10)]
        await server.inside(11)
        status, text = await ask()
        assert (status, "Too many requests" in text) == (503, True)
        asked[-1].cancel()  # who leaves while it waits takes nobody's turn
        await server.inside(10)
        (tmp_path / "gate").touch()
        assert await asyncio.gather(*asked[:-1]) == [(200, "most 1")] * 10
        await server.inside(0)
