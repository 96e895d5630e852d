"""Both halves together, on a real node: what the API records, the engine runs, and the API tells."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from kfp import dsl

from fairway.kernel.feature import IDENTITY, Identity
from fairway.kernel.objects.kinds import POD
from fairway.pipelines.feature import FEATURE
from fairway.pipelines.kinds import RUN
from fairway.pipelines.sdk import Server as Sdk
from fairway.pipelines.sdk import Snapshot
from fairway.testing.cluster import Cluster, cluster

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@dsl.component(base_image="python:3.11")
def once(flag: str) -> str:
    import os  # noqa: PLC0415 - the body of a step carries its own imports

    if not os.path.exists(flag):
        open(flag, "w").close()
        raise RuntimeError("the first time it fails")
    return "fine"


@dsl.component(base_image="python:3.11")
def wait(seconds: int) -> int:
    import time  # noqa: PLC0415

    print("waiting", flush=True)
    time.sleep(seconds)
    return seconds


@dsl.pipeline(name="mended")
def mended(flag: str) -> None:
    first = wait(seconds=0)
    second = once(flag=flag).after(first)
    wait(seconds=0).set_caching_options(False).after(second)


@dsl.pipeline(name="endless")
def endless() -> None:
    wait(seconds=600)


class Platform:
    def __init__(self, here: Cluster, sdk: Sdk) -> None:
        self.here, self.sdk = here, sdk

    async def end(self, run: str) -> Snapshot:
        return (await asyncio.to_thread(lambda: list(self.sdk.follow(run, every=0.05))))[-1]

    async def begun(self, run: str) -> Snapshot:
        """The run, once its step runs."""

        def look() -> Snapshot:
            return next(now for now in self.sdk.follow(run, every=0.02) if _states(now).get("wait") == "RUNNING")

        return await asyncio.to_thread(look)


def _states(found: Snapshot) -> dict[str, str]:
    return {step.name: step.state for step in found.steps}


@web.middleware
async def identify(request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
    request[IDENTITY] = Identity("tester", ("system:masters",))
    return await handler(request)


@pytest.fixture
async def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with cluster(tmp_path, node=True, features=(FEATURE,)) as here:
        app = web.Application(middlewares=[identify])
        for route in here.parts[0].routes:
            app.router.add_route(route.method, route.path, route.handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield Platform(here, Sdk(f"http://127.0.0.1:{runner.addresses[0][1]}", "any"))
        finally:
            await runner.cleanup()


async def test_a_failed_run_is_retried_from_where_it_failed(platform: Platform, tmp_path: Path) -> None:
    sdk = platform.sdk
    run = await asyncio.to_thread(sdk.submit, mended, {"flag": str(tmp_path / "flag")})
    failed = await platform.end(run)
    assert (failed.state, _states(failed)["once"], _states(failed)["wait-2"]) == ("FAILED", "FAILED", "SKIPPED")
    assert "the first time it fails" in failed.message
    kept = next(step for step in failed.steps if step.name == "wait")
    await asyncio.to_thread(lambda: sdk.kfp().runs.run_service_retry_run(run))
    again = await platform.end(run)
    assert (again.state, set(_states(again).values())) == ("SUCCEEDED", {"SUCCEEDED"})
    assert next(step for step in again.steps if step.name == "wait") == kept
    history = (await asyncio.to_thread(sdk.get, f"runs/{run}"))["state_history"]
    assert [entry["state"] for entry in history] == ["PENDING", "RUNNING", "FAILED", "RUNNING", "SUCCEEDED"]


async def test_a_terminated_run_is_canceled_soon_and_its_log_stays(platform: Platform) -> None:
    sdk = platform.sdk
    run = await asyncio.to_thread(sdk.submit, endless)
    step = next(step for step in (await platform.begun(run)).steps if step.name == "wait")
    while "waiting" not in await asyncio.to_thread(sdk.log, run, step.id):
        await asyncio.sleep(0.02)
    await asyncio.to_thread(lambda: sdk.kfp().terminate_run(run))
    async with asyncio.timeout(60):
        canceled = await platform.end(run)
    assert (canceled.state, set(_states(canceled).values())) == ("CANCELED", {"CANCELED"})
    assert "waiting" in await asyncio.to_thread(sdk.log, run, step.id)


async def test_a_run_whose_object_is_deleted_is_canceled(platform: Platform) -> None:
    run = await asyncio.to_thread(platform.sdk.submit, endless)
    await platform.begun(run)
    await platform.here.client.delete(RUN, run, "default")
    async with asyncio.timeout(60):
        canceled = await platform.end(run)
    assert (canceled.state, canceled.message) == ("CANCELED", "the Run object was deleted")
    assert set(_states(canceled).values()) == {"CANCELED"}
    for pod in (await platform.here.client.list(POD, "default")).items:
        await platform.here.client.wait(POD, pod["metadata"]["name"], "default", lambda found: found is None)
