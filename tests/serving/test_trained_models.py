"""Many models in one server: TrainedModels are fetched, loaded and unloaded while it runs, and say how they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fairway.cluster.network.kinds import KINDS
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import CONFIG_MAP, HTTP_ROUTE, POD, Object
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.models import trained
from fairway.serving.models.kinds import TRAINED_MODEL
from fairway.serving.models.trained import Around
from fairway.testing.cluster import Cluster, cluster

from .conftest import TWO_FLOWERS


def model(name: str, uri: str = "/m", memory: str = "100Mi", service: str = "many") -> Object:
    spec = {"inferenceService": service, "model": {"storageUri": uri, "framework": "sklearn", "memory": memory}}
    return TRAINED_MODEL.new(name, "default", spec=spec)


def service(**sklearn: Any) -> Object:
    return INFERENCE_SERVICE.new("many", "default", spec={"predictor": {"sklearn": sklearn}})


def condition(status: Object, type_: str) -> Object:
    return conditions.find({"status": status}, type_) or {}


def test_the_oldest_models_that_fit_are_admitted() -> None:
    limited = service(resources={"limits": {"memory": "256Mi"}})
    models = [
        model("a"),
        model("b", memory="200Mi"),
        model("c"),
        model("d", uri="pvc://x/y"),
        model("e", uri="s3://[x/y"),
        model("f", uri="s3://]", memory="-1Gi"),
        model("g"),
    ]
    assert [one["metadata"]["name"] for one in trained.admitted(limited, models, ())] == ["a", "c"]
    assert len(trained.admitted(service(), models, ())) == 4, "a server without a limit takes all that can be fetched"
    assert trained.admitted(service(storageUri="/m"), models, ()) == []


@pytest.mark.parametrize(
    ("given", "around", "type_", "says"),
    [
        (model("a"), Around(None), "InferenceServiceReady", "There is no InferenceService many"),
        (model("a"), Around(service(storageUri="/m")), "IsMMSPredictor", "leave its storageUri out"),
        (model("a", memory="much"), Around(service()), "MemoryResourceAvailable", "is no amount"),
        (model("a", uri="oci://x"), Around(service()), "ModelLoaded", "oci:// is not available"),
        (model("a", uri="s3://[x"), Around(service()), "ModelLoaded", "is not an address"),
        (
            model("a", memory="2Gi"),
            Around(service(resources={"limits": {"memory": "1Gi"}}), [model("a", memory="2Gi")]),
            "MemoryResourceAvailable",
            "more than its memory limit",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_models_own_conditions(
    given: Object, around: Around, type_: str, says: str
) -> None:
    status = trained.status(given, around, "2026-01-01T00:00:00Z")
    assert condition(status, type_)["status"] == "False"
    assert says in condition(status, type_)["message"]
    assert condition(status, "Ready")["status"] == "False"


def test_a_model_is_ready_once_every_pod_has_loaded_it() -> None:
    ready = {**service(), "status": {"conditions": [{"type": "Ready", "status": "True"}], "url": "http://h"}}
    told = {**model("a"), "status": {"pods": {"p1": {"loaded": True}, "gone": {"loaded": False}}}}
    status = trained.status(told, Around(ready, [told], frozenset(["p1"])), "2026-01-01T00:00:00Z")
    assert condition(status, "Ready")["status"] == "True"
    assert status["url"] == "http://h/v1/models/a:predict"
    status = trained.status(told, Around(ready, [told], frozenset(["p1", "p2"])), "2026-01-01T00:00:00Z")
    assert condition(status, "Ready")["status"] == "Unknown"


def test_what_a_pod_said_before_it_was_ready_is_kept() -> None:
    ready = {**service(), "status": {"conditions": [{"type": "Ready", "status": "True"}], "url": "http://h"}}
    told = {**model("a"), "status": {"pods": {"p1": {"loaded": True}, "gone": {"loaded": True}}}}
    status = trained.status(told, Around(ready, [told], coming=frozenset(["p1"])), "2026-01-01T00:00:00Z")
    assert (status["pods"], condition(status, "Ready")["status"]) == ({"p1": {"loaded": True}}, "Unknown")
    told = {**told, "status": status}
    status = trained.status(told, Around(ready, [told], frozenset(["p1"])), "2026-01-01T00:00:00Z")
    assert condition(status, "Ready")["status"] == "True"


# With a real server.


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Cluster, None]:
    async with cluster(tmp_path, node=True, features=(FEATURE,), kinds=KINDS) as running:
        yield running


async def until(here: Cluster, name: str, holds: Callable[[Object], bool]) -> Object:
    found = await here.client.wait(
        TRAINED_MODEL, name, "default", lambda obj: obj is not None and holds(obj.get("status") or {}), timeout=60
    )
    assert found is not None
    return dict(found["status"])


async def _take_routes(here: Cluster) -> None:
    """There is no gateway here: its part is played."""
    for name in ("many", "many.path"):
        await here.client.wait(HTTP_ROUTE, name, "default", lambda route: route is not None, timeout=60)
        taken = {"type": "Accepted", "status": "True"}
        parent = {"parentRef": {"name": "fairway"}, "controllerName": "test", "conditions": [taken]}
        await here.client.patch_status(HTTP_ROUTE, name, "default", {"parents": [parent]})


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_models_come_and_go_while_the_server_runs(here: Cluster, models: Path) -> None:
    await here.client.create(INFERENCE_SERVICE, service())
    await here.client.create(TRAINED_MODEL, model("iris", str(models / "iris")))
    await here.client.create(TRAINED_MODEL, model("nothing", str(models / "nowhere")))
    await _take_routes(here)
    status = await until(here, "iris", lambda status: condition(status, "Ready").get("status") == "True")
    assert status["address"]["url"].endswith("/serving/default/many/v1/models/iris:predict")
    status = await until(here, "nothing", lambda status: condition(status, "ModelLoaded").get("status") == "False")
    assert "The model cannot be fetched" in condition(status, "ModelLoaded")["message"]
    (pod,) = (await here.client.list(POD, "default")).items
    url = f"http://{pod['status']['podIP']}:8080/v1/models/iris:predict"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json={"instances": TWO_FLOWERS}) as answer:
            assert await answer.json() == {"predictions": [1, 1]}
        await here.client.delete(TRAINED_MODEL, "iris", "default")
        async with asyncio.timeout(60):
            while True:
                async with session.post(url, json={"instances": TWO_FLOWERS}) as answer:
                    if "It was unloaded" in await answer.text():
                        break
                await asyncio.sleep(0.1)
    listed = await here.client.get(CONFIG_MAP, "modelconfig-many-0", "default")
    assert "iris" not in listed["data"]["models.json"]
