"""A model on the web becomes a service, and an address that leads nowhere says so at once, beside others that serve."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fairway.cluster.network.kinds import KINDS
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import POD, Object
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.testing.cluster import Cluster, cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
async def site(tmp_path: Path, models: Path) -> AsyncGenerator[str, None]:
    """A web server with the iris model as an archive."""
    with tarfile.open(tmp_path / "iris.tar.gz", "w:gz") as archive:
        archive.add(models / "iris" / "model.joblib", "model.joblib")
    app = web.Application()
    app.router.add_static("/", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    where = web.TCPSite(runner, "127.0.0.1", 0)
    await where.start()
    yield str(where.name)
    await runner.cleanup()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Cluster, None]:
    (tmp_path / "house").mkdir()
    async with cluster(tmp_path / "house", node=True, features=(FEATURE,), kinds=KINDS) as running:
        yield running


async def deploy(here: Cluster, name: str, uri: str) -> None:
    spec = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}}
    await here.client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new(name, "default", spec=spec))


async def until(here: Cluster, name: str, holds: Callable[[Object], bool]) -> Any:
    found = await here.client.wait(
        INFERENCE_SERVICE, name, "default", lambda obj: obj is not None and holds(obj.get("status") or {}), timeout=60
    )
    assert found is not None
    return found["status"]


async def test_an_archive_on_the_web_is_served_and_a_wrong_address_says_why(here: Cluster, site: str) -> None:
    await deploy(here, "wrong", f"{site}/nothing.tar.gz")
    await deploy(here, "right", f"{site}/iris.tar.gz")
    status = await until(here, "wrong", lambda status: "lastFailureInfo" in (status.get("modelStatus") or {}))
    failure = status["modelStatus"]["lastFailureInfo"]
    assert failure["reason"] == "ModelLoadFailed"
    assert f"there is nothing at {site}/nothing.tar.gz (HTTP 404)" in failure["message"]
    assert status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
    await until(here, "right", lambda status: conditions.is_true({"status": status}, "PredictorReady"))
    assert not conditions.is_true({"status": status}, "PredictorReady")
    pods = (await here.client.list(POD, "default", labels="serving.kserve.io/inferenceservice=right")).items
    (init,) = pods[0]["status"]["initContainerStatuses"]
    assert (init["name"], init["state"]["terminated"]["exitCode"]) == ("storage-initializer", 0)
    assert meta.name(pods[0]).startswith("right-predictor-")
