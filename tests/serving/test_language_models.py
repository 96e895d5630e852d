"""An LLMInferenceService is served on one node; what needs more is refused by name."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.network.kinds import KINDS
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import HTTP_ROUTE, Kind, Object
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.llm import reading
from fairway.serving.llm.kinds import LLM_CONFIG, LLM_SERVICE
from fairway.serving.spec.refusals import NotSupported
from fairway.testing.cluster import Cluster, cluster

MODEL = {"uri": "hf://facebook/opt-125m", "name": "facebook/opt-125m"}


def llm(**spec: Any) -> Object:
    return LLM_SERVICE.new("opt", "default", spec={"model": MODEL, **spec})


def container(**fields: Any) -> Any:
    return {"containers": [{"name": "main", **fields}]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (llm(prefill={"replicas": 1}), "spec.prefill is not supported; remove it"),
        (llm(worker={"containers": [{}]}), "spec.worker is not supported"),
        (llm(parallelism={"data": 2}), "spec.parallelism.data: 2"),
        (llm(parallelism={"expert": True}), "spec.parallelism.expert"),
        (llm(router={"scheduler": {"pool": {}}}), "spec.router.scheduler is not supported; leave it empty"),
        (llm(router={"route": {"http": {"refs": [{"name": "x"}]}}}), "spec.router.route.http"),
        (llm(scaling={"maxReplicas": 3}), "spec.scaling is not supported; set replicas"),
        (llm(model={**MODEL, "lora": {"adapters": [{}]}}), "spec.model.lora is not supported"),
        (llm(model={"name": "x"}), "spec.model.uri is missing"),
        (llm(template=container(args=["--x"])), "spec.template.containers[main].args is not supported"),
        (llm(baseRefs=[{"name": "none"}]), "no LLMInferenceServiceConfig 'none'"),
    ],
)
def test_what_needs_more_than_one_node_is_refused_by_name(given: Object, says: str) -> None:
    with pytest.raises(NotSupported) as refused:
        reading.read(given, {})
    assert says in str(refused.value)


def test_configurations_lie_below_the_service() -> None:
    one = LLM_CONFIG.new(
        "one", "kserve", spec={"replicas": 2, "template": container(env=[{"name": "A", "value": "1"}])}
    )
    two = LLM_CONFIG.new(
        "two", "default", spec={"replicas": 3, "template": container(env=[{"name": "B", "value": "2"}])}
    )
    own = container(image="vllm", env=[{"name": "A", "value": "{{ .Name }}"}])
    asked = reading.read(llm(baseRefs=[{"name": "one"}, {"name": "two"}], template=own), {"one": one, "two": two})
    assert asked.replicas == 3
    assert {each["name"]: each["value"] for each in asked.env} == {"A": "{{ .Name }}", "B": "2"}
    assert asked.replaced == "vllm"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Cluster, None]:
    async with cluster(tmp_path, features=(FEATURE,), kinds=KINDS) as running:
        yield running


async def test_it_becomes_a_service_and_a_route_and_a_change_takes_away_what_is_gone(here: Cluster) -> None:
    await here.client.create(LLM_SERVICE, llm(template=container(resources={"limits": {"cpu": "1"}})))
    child = await here.client.wait(INFERENCE_SERVICE, "opt-kserve", "default", lambda obj: obj is not None, timeout=60)
    assert child is not None
    model = child["spec"]["predictor"]["model"]
    assert (model["storageUri"], model["args"]) == ("hf://facebook/opt-125m", ["--model_name=facebook/opt-125m"])
    route = await here.client.wait(HTTP_ROUTE, "opt-kserve-route", "default", lambda obj: obj is not None, timeout=60)
    assert route is not None
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/default/opt"}}]
    await here.client.patch(LLM_SERVICE, "opt", "default", {"spec": {"template": None}})
    await here.client.wait(
        INFERENCE_SERVICE,
        "opt-kserve",
        "default",
        lambda obj: "resources" not in (obj or child)["spec"]["predictor"]["model"],
        timeout=60,
    )
    found = await here.client.wait(LLM_SERVICE, "opt", "default", lambda obj: "status" in (obj or {}), timeout=60)
    assert found is not None
    assert found["status"]["url"].endswith("/default/opt")
    assert conditions.is_true(found, "PresetsCombined")
    assert not conditions.is_true(found, "Ready"), "nothing runs here"


async def test_its_older_version_is_the_same_object(here: Cluster) -> None:
    older = Kind("serving.kserve.io", "v1alpha1", "LLMInferenceService", "llminferenceservices")
    await here.client.create(older, older.new("opt", "default", spec={"model": MODEL, "prefill": {"replicas": 1}}))
    found = await here.client.wait(
        LLM_SERVICE, "opt", "default", lambda obj: bool((obj or {}).get("status")), timeout=60
    )
    assert found is not None
    assert found["apiVersion"] == "serving.kserve.io/v1alpha2"
    assert (conditions.find(found, "Ready") or {})["reason"] == "InvalidSpec"
