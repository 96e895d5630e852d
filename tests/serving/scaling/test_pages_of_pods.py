"""What pods say of themselves is read as what anybody may write: nothing of it ends the loop that reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import aiohttp
import pytest
from aiohttp import web

from fairway.kernel.clock import FakeClock
from fairway.serving.scaling.controller import Autoscaler
from fairway.serving.scaling.stats import Place, Stats

Serve = Callable[[bytes], Place]


@pytest.fixture
async def serve() -> AsyncGenerator[Serve, None]:
    said = [b""]

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(body=said[0])

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]

    def place(page: bytes) -> Place:
        said[0] = page
        return Place("p", "127.0.0.1", port)

    yield place
    await runner.cleanup()


@pytest.mark.parametrize("number", [b"e", b"1.2.3", b"--", b"1e999"])
async def test_what_is_no_number_is_no_news(serve: Serve, number: bytes) -> None:
    stats = Stats(FakeClock())
    assert await stats.collect([serve(b"fairway_inference_requests_total " + number)]) is None
    await stats.close()


async def test_a_page_without_an_end_is_not_read(serve: Serve) -> None:
    stats = Stats(FakeClock())
    with pytest.raises(aiohttp.ClientError, match="more than"):
        await stats.page(serve(bytes(5 * 1024 * 1024)))
    await stats.close()


async def test_what_was_forgotten_in_this_moment_is_not_measured() -> None:
    await Autoscaler(FakeClock())._measure_one(("default", "gone"))
