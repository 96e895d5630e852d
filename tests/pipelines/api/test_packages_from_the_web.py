"""A version may name an address on the web: its package is fetched once, for people only, and checked as an upload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from aiohttp import web

from tests.pipelines.api.conftest import Server, hello


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A web server with a package, one behind a redirection, one that is none, and one that never ends."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"#" * (1 << 20))

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/hello.yaml")

    async def package(request: web.Request) -> web.Response:
        return web.Response(text=yaml.safe_dump(hello()))

    async def words(request: web.Request) -> web.Response:
        return web.Response(text="just: words")

    app = web.Application()
    app.router.add_get("/hello.yaml", package)
    app.router.add_get("/no.yaml", words)
    app.router.add_get("/moved", moved)
    app.router.add_get("/endless.yaml", endless)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def version(url: str, **more: Any) -> dict[str, Any]:
    return {
        "pipeline": {"display_name": "from the web"},
        "pipeline_version": {"display_name": "v1", "package_url": {"pipeline_url": url}, **more},
    }


@pytest.mark.parametrize("path", ["/hello.yaml", "/moved"])
async def test_a_package_is_fetched_and_its_address_told(server: Server, site: str, path: str) -> None:
    status, made = await server.call("POST", "pipelines/create", version(site + path))
    assert status == 200, made
    (kept,) = (await server.get(f"pipelines/{made['pipeline_id']}/versions"))["pipeline_versions"]
    assert kept["package_url"] == {"pipeline_url": site + path}
    assert kept["pipeline_spec"]["pipelineInfo"]["name"] == hello()["pipelineInfo"]["name"]
    more = {"display_name": "v2", "package_url": {"pipeline_url": site + path}}
    status, second = await server.call("POST", f"pipelines/{made['pipeline_id']}/versions", more)
    assert status == 200, second


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/no.yaml", "pipeline"),
        ("/nothing.yaml", "package_url"),
        ("/endless.yaml", "is larger than"),
        ("ftp://x/p.yaml", "must begin with http"),
        ("http://169.254.169.254/latest", "not for fetching"),
    ],
)
async def test_what_cannot_be_a_package_is_refused(server: Server, site: str, path: str, why: str) -> None:
    url = path if "://" in path else site + path
    status, answer = await server.call("POST", "pipelines/create", version(url))
    assert status in (400, 413), answer
    assert why in answer["message"]


async def test_workloads_and_two_sources_are_refused(server: Server, site: str) -> None:
    both = version(f"{site}/hello.yaml", pipeline_spec=hello())
    status, answer = await server.call("POST", "pipelines/create", both)
    assert (status, "not both" in answer["message"]) == (400, True)
    server.act_as("system:serviceaccount:default:default")
    status, answer = await server.call("POST", "pipelines/create", version(f"{site}/hello.yaml"))
    assert (status, "upload the file" in answer["message"]) == (403, True)
