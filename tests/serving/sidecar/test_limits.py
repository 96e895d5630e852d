"""How many requests are inside, who waits and who is refused, and what the autoscaler reads of it."""

import asyncio

from aiohttp import web

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.sidecar.gate import Gate

from .conftest import before, listening


async def test_one_at_a_time_others_wait_and_the_rest_is_refused_at_once() -> None:
    inside = most = 0
    go = asyncio.Event()

    async def work(request: web.Request) -> web.Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await go.wait()
        inside -= 1
        return web.json_response(len(await request.read()))

    async with listening(work) as port, before(port, "--container-concurrency=1", "--max-waiting=2") as sidecar:
        asking = [asyncio.create_task(sidecar.post("/", b"x" * 500_000)) for _ in range(3)]
        while (await sidecar.metrics())["fairway_inference_requests_waiting"] < 2:
            await asyncio.sleep(0.005)
        async with sidecar.session.post(sidecar.url) as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        go.set()
        assert [await one for one in asking] == [(200, 500_000)] * 3
        seen = await sidecar.metrics()
    assert most == 1
    assert seen["fairway_inference_requests_total"] == 4
    assert seen["fairway_inference_requests_refused_total"] == 1
    assert seen["fairway_request_concurrency_seconds_total"] > 0


def test_the_integral_is_requests_times_seconds() -> None:
    now = 0.0
    gate = Gate(2, 1, lambda: now)
    first = gate.come(lambda: None)
    now = 1.0
    second, third = gate.come(lambda: None), gate.come(lambda: None)
    assert (first.entered, second.entered, third.entered) == (True, True, False)
    now = 3.0
    assert gate.seconds == 1 * 1 + 3 * 2
    gate.leave(first)
    assert third.entered
    gate.leave(first)
    gate.leave(second)
    gate.leave(third)
    now = 9.0
    assert (gate.seconds, gate.inside) == (7.0, 0)


def test_who_leaves_while_waiting_takes_nobodys_place() -> None:
    gate, told = Gate(1, 1, lambda: 0.0), []
    first = gate.come(lambda: None)
    second = gate.come(lambda: told.append("second"))
    gate.leave(second)
    third = gate.come(lambda: told.append("third"))
    try:
        gate.come(lambda: None)
        raise AssertionError("there is no room")
    except Refusal as refusal:
        assert refusal.status == 503
    gate.leave(first)
    assert (told, third.entered) == (["third"], True)


async def test_probes_ask_the_container_and_are_no_traffic(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({}, status=200 if request.path == "/health" else 404)

    monkeypatch.setenv("SERVING_READINESS_PROBE", '{"httpGet": {"path": "/health", "port": 8080}}')
    probe = {"User-Agent": "kube-probe/1.36"}
    async with listening(answer) as port, before(port) as sidecar:
        async with sidecar.session.get(f"{sidecar.url}/", headers=probe) as answered:
            assert answered.status == 200
        assert (await sidecar.metrics())["fairway_inference_requests_total"] == 0
    monkeypatch.setenv("SERVING_READINESS_PROBE", '{"tcpSocket": {"port": 8080}}')
    async with before(1) as sidecar, sidecar.session.get(f"{sidecar.url}/", headers=probe) as answered:
        assert answered.status == 503
