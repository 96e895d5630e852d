"""Which runtime a model gets, what of it the user's fields replace, and what a person changed in a built-in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairway.kernel.objects import meta
from fairway.serving.feature import FEATURE
from fairway.serving.runtimes import built_in, installing, merging, selection
from fairway.serving.runtimes.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from fairway.serving.runtimes.selection import Runtimes, Wanted
from fairway.serving.spec.refusals import NotSupported
from fairway.testing.cluster import cluster

BUILT_IN = Runtimes(cluster=built_in.objects())


def runtime(name: str, *formats: tuple[str, str, int], made: str = "2026-01-01", **spec: Any) -> Any:
    kind = SERVING_RUNTIME if spec.pop("namespaced", False) else CLUSTER_SERVING_RUNTIME
    listed = [
        {"name": one, "version": version, "autoSelect": True, **({"priority": priority} if priority else {})}
        for one, version, priority in formats
    ]
    obj = kind.new(name, spec={"supportedModelFormats": listed, "containers": [], **spec})
    return {**obj, "metadata": {**obj["metadata"], "creationTimestamp": f"{made}T00:00:00Z"}}


def chosen(wanted: Wanted, *cluster: Any, namespaced: tuple[Any, ...] = ()) -> str:
    return meta.name(selection.choose(wanted, Runtimes(namespaced, cluster)))


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (Wanted("sklearn"), "kserve-sklearnserver"),
        (Wanted("sklearn", protocol="v2"), "kserve-mlserver"),
        (Wanted("mlflow", protocol="v2"), "kserve-mlserver"),
        (Wanted("tensorflow"), "kserve-tensorflow-serving"),
        (Wanted("tensorflow", protocol="v2"), "kserve-tritonserver"),
        (Wanted("onnx", protocol="v2"), "kserve-tritonserver"),
        (Wanted("pytorch", protocol="v2"), "kserve-torchserve"),
        (Wanted("huggingface", protocol="v2"), "kserve-huggingfaceserver"),
        (Wanted("xgboost", runtime="kserve-predictiveserver"), "kserve-predictiveserver"),
    ],
)
def test_a_format_gets_the_runtime_that_it_gets_upstream(wanted: Wanted, name: str) -> None:
    assert meta.name(selection.choose(wanted, BUILT_IN)) == name


def test_the_namespace_comes_first_whatever_the_priorities() -> None:
    mine = runtime("mine", ("sklearn", "1", 1), namespaced=True)
    assert chosen(Wanted("sklearn"), runtime("all", ("sklearn", "1", 9)), namespaced=(mine,)) == "mine"


def test_priority_then_protocol_then_the_newest_then_the_name() -> None:
    v1 = {"protocolVersions": ["v1"]}
    low, high = runtime("a", ("f", "1", 1), **v1), runtime("b", ("f", "1", 2), protocolVersions=["v2", "v1"])
    assert chosen(Wanted("f"), low, high) == "b"
    assert chosen(Wanted("f"), runtime("c", ("f", "1", 0), **v1), low) == "a", "one without a priority comes last"
    both = runtime("d", ("f", "1", 1), protocolVersions=["v2"])
    assert chosen(Wanted("f", protocol="v2"), both, runtime("e", ("f", "1", 1), protocolVersions=["v2", "v1"])) == "e"
    new = runtime("z", ("f", "1", 1), made="2026-02-01", **v1)
    assert chosen(Wanted("f"), low, new) == "z"
    assert chosen(Wanted("f"), runtime("y", ("f", "1", 1), **v1), low) == "a"


def test_what_does_not_fit_is_no_candidate() -> None:
    ok = runtime("ok", ("f", "1", 0))
    others = [
        runtime("off", ("f", "1", 5), disabled=True),
        runtime("many", ("f", "1", 5), multiModel=True),
        runtime("nodes", ("f", "1", 5), workerSpec={"containers": [{}]}),
        runtime("v2", ("f", "1", 5), protocolVersions=["v2"]),
        runtime("f2", ("f", "2", 5)),
    ]
    assert chosen(Wanted("f", "1"), ok, *others) == "ok"
    assert chosen(Wanted("f", "1", multi_model=True), ok, *others) == "many"
    with pytest.raises(NotSupported) as refused:
        chosen(Wanted("f", runtime="off"), *others)
    assert refused.value.reason == "RuntimeDisabled"


def test_the_users_fields_lie_over_the_runtimes() -> None:
    base = {
        "args": ["--a"],
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    over = {
        "args": ["--b"],
        "env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "Z", "value": "3"}],
        "resources": {"requests": {"cpu": "2"}},
    }
    merged = merging.container(base, over)
    assert merged["args"] == ["--a", "--b"]
    assert {one["name"]: one.get("value") for one in merged["env"]} == {"X": None, "Y": "2", "Z": "3"}
    assert merged["resources"] == {"requests": {"cpu": "2", "memory": "1Gi"}}


def test_braces_are_filled_from_the_service_and_others_are_refused() -> None:
    metadata = {"name": "m", "namespace": "n", "labels": {"a-b": "1"}, "annotations": {"x.y/z": "2"}}
    text = "{{.Name}} {{ .Namespace }} {{.Labels.a-b}} {{.Annotations.x.y/z}} {{.Labels.none}}."
    assert merging.filled([text], metadata, "r") == ["m n 1 2 ."]
    with pytest.raises(NotSupported, match="braces that cannot be filled in"):
        merging.filled({"args": ["{{.Spec.x}}"]}, metadata, "r")


async def test_what_a_person_changed_in_a_built_in_runtime_stays(tmp_path: Path) -> None:
    async with cluster(tmp_path, workloads=False, features=(FEATURE,)) as here:
        made = (await here.client.list(CLUSTER_SERVING_RUNTIME)).items
        assert {meta.name(one) for one in made} == {one.name for one in built_in.BUILT_IN}
        name = "kserve-sklearnserver"
        await here.client.patch(CLUSTER_SERVING_RUNTIME, name, None, {"spec": {"disabled": True}})
        old = {"spec": {"protocolVersions": ["v1"]}, "metadata": {"annotations": {installing.MADE: "older"}}}
        await here.client.patch(CLUSTER_SERVING_RUNTIME, "kserve-xgbserver", None, old)
        await installing.install(here.client, here.platform.clock)
        assert (await here.client.get(CLUSTER_SERVING_RUNTIME, name))["spec"]["disabled"] is True
        kept = await here.client.get(CLUSTER_SERVING_RUNTIME, "kserve-xgbserver")
        assert kept["spec"]["protocolVersions"] == ["v1"]
