"""Rows of several requests become one, and answers go back to who asked."""

import asyncio

import pytest
from aiohttp import web
from yarl import URL

from .conftest import before, listening

PATH = "/v1/models/m:predict"


class Container:
    """Adds one to each row; a row below zero is refused."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def __call__(self, request: web.Request) -> web.Response:
        rows = (await request.json())["instances"]
        self.batches.append(len(rows))
        await asyncio.sleep(0.02)
        if any(row < 0 for row in rows):
            return web.json_response({"error": "a row is negative"}, status=400)
        return web.json_response({"predictions": [row + 1 for row in rows]})


async def test_rows_are_laid_together_and_the_answer_is_cut() -> None:
    container = Container()
    async with (
        listening(container) as port,
        before(port, "--enable-batcher", "--max-batchsize=6", "--max-latency=5000") as sidecar,
    ):
        asked = [sidecar.post(PATH, {"instances": [n, n * 10]}) for n in (1, 2, 3)]
        answers = await asyncio.gather(*asked)
    assert container.batches == [6]
    assert [answer["predictions"] for _, answer in answers] == [[2, 11], [3, 21], [4, 31]]
    assert len({answer["batchId"] for _, answer in answers}) == 1
    assert [answer["message"] for _, answer in answers] == [""] * 3


async def test_a_batch_that_is_not_full_goes_when_its_first_row_waited_enough() -> None:
    container = Container()
    async with listening(container) as port, before(port, "--enable-batcher", "--max-latency=10") as sidecar:
        assert (await sidecar.post(PATH, {"instances": [1]}))[1]["predictions"] == [2]


async def test_several_batches_are_under_way_at_once() -> None:
    two = asyncio.Barrier(2)

    async def together(request: web.Request) -> web.Response:
        async with asyncio.timeout(60):
            await two.wait()
        return web.json_response({"predictions": [1]})

    async with listening(together) as port, before(port, "--enable-batcher", "--max-batchsize=1") as sidecar:
        answers = await asyncio.gather(*(sidecar.post(PATH, {"instances": [n]}) for n in range(6)))
    assert {status for status, _ in answers} == {200}


async def test_a_mistake_keeps_its_status_and_is_nobody_elses() -> None:
    container = Container()
    async with listening(container) as port, before(port, "--enable-batcher", "--max-batchsize=3") as sidecar:
        good, bad, other = await asyncio.gather(*(sidecar.post(PATH, {"instances": [n]}) for n in (1, -1, 2)))
    assert bad == (400, {"error": "a row is negative"})
    assert (good[1]["predictions"], other[1]["predictions"]) == ([2], [3])


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"instances": []}', b'{"instances": 1}', b""])
async def test_what_has_no_rows_is_400(body: bytes) -> None:
    async with listening(Container()) as port, before(port, "--enable-batcher") as sidecar:
        status, answer = await sidecar.post(PATH, body)
        assert (status, bool(answer["error"])) == (400, True)


async def test_answers_that_do_not_fit_are_500_and_a_slow_container_504() -> None:
    async def short(request: web.Request) -> web.Response:
        if "slow" in request.path:
            await asyncio.sleep(60)
        return web.json_response({"predictions": []})

    async with listening(short) as port:
        flags = ("--enable-batcher", "--max-batchsize=1")
        async with before(port, *flags) as sidecar:
            assert (await sidecar.post(PATH, {"instances": [1]}))[0] == 500
        async with before(port, *flags, "--batch-timeout=0.05") as sidecar:
            assert (await sidecar.post("/v1/models/slow:predict", {"instances": [1]}))[0] == 504


async def test_other_paths_are_carried_as_they_are() -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.json_response({"path": request.path})

    async with listening(tell) as port, before(port, "--enable-batcher") as sidecar:
        assert (await sidecar.post("/v2/models/m/infer", {}))[1] == {"path": "/v2/models/m/infer"}


async def test_rows_that_cannot_be_written_again_are_400_and_hold_up_no_neighbour() -> None:
    """JSON may be read nested deeper than it is written."""
    deep = b'{"instances": [' + b"[" * 300 + b"]" * 300 + b"]}"
    async with (
        listening(Container()) as port,
        before(port, "--enable-batcher", "--max-batchsize=2", "--container-concurrency=2") as sidecar,
    ):
        bad, good = await asyncio.gather(sidecar.post(PATH, deep), sidecar.post(PATH, {"instances": [1, 2]}))
        assert (bad[0], "deep" in bad[1]["error"]) == (400, True)
        assert good[1]["predictions"] == [2, 3]
        assert (await sidecar.metrics())["fairway_inference_requests_inside"] == 0


@pytest.mark.parametrize("name", ["caf%C3%A9%E2%82%AC", "two%20words", "a%3Fb", "a%23b"])
async def test_a_name_reaches_the_container_as_it_was_asked_for(name: str) -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.json_response({"predictions": [request.raw_path]})

    async with listening(tell) as port, before(port, "--enable-batcher", "--max-batchsize=1") as sidecar:
        url = URL(f"{sidecar.url}/v1/models/{name}:predict", encoded=True)
        async with sidecar.session.post(url, json={"instances": [1]}) as answer:
            assert (await answer.json())["predictions"] == [url.raw_path]
