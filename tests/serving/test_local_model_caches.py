"""A model is kept on nodes before a service asks for it, and the service mounts it from there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.network.kinds import KINDS
from fairway.kernel.client.client import Client
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import JOB, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, Kind, Object
from fairway.kernel.objects.kinds import NODE as NODES
from fairway.serving.caches import matching, render, status
from fairway.serving.caches.kinds import (
    LOCAL_MODEL_CACHE,
    LOCAL_MODEL_NAMESPACE_CACHE,
    LOCAL_MODEL_NODE,
    LOCAL_MODEL_NODE_GROUP,
)
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.storage import containers
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Given
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER
from fairway.testing.cluster import NODE, Cluster, cluster
from tests.serving.local_models import add_group, wish


def cache(name: str, uri: str, *, namespace: str = "", size: str = "10Mi", whole: bool = True) -> Object:
    kind = LOCAL_MODEL_NAMESPACE_CACHE if namespace else LOCAL_MODEL_CACHE
    spec = {"sourceModelUri": uri, "modelSize": size, "nodeGroups": ["workers"]}
    copies = {"total": 1, "available": int(whole), "failed": 0}
    return {**kind.new(name, namespace, spec=spec), "status": {"copies": copies}}


def service(uri: str, **annotations: str) -> Object:
    made = INFERENCE_SERVICE.new("iris", "default", spec={"predictor": {"sklearn": {"storageUri": uri}}})
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


def test_a_service_uses_a_whole_cache_of_its_address_and_its_namespace_comes_first() -> None:
    cluster_wide, mine = cache("wide", "s3://b/m"), cache("mine", "s3://b", namespace="default")
    other = cache("other", "s3://b/m", namespace="elsewhere")
    found = matching.find("s3://b/m/v1", service("s3://b/m/v1"), [cluster_wide, mine, other])
    assert found is not None
    assert (meta.name(found.cache), found.claim) == ("mine", "mine-workers")
    assert found.path.endswith("/m/v1")
    assert matching.find("s3://b/m", service("x"), [cache("half", "s3://b/m", whole=False)]) is None
    off = service("x", **{"serving.kserve.io/disable-localmodel": "true"})
    assert matching.find("s3://b/m", off, [cluster_wide]) is None
    elsewhere = service("x", **{"serving.kserve.io/nodegroup": "gpus"})
    assert matching.find("s3://b/m", elsewhere, [cluster_wide]) is None


def test_a_node_that_is_not_ready_keeps_what_it_has() -> None:
    wanted = cache("m", "s3://b/m")
    off: Any = {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    told = status.of_cache(wanted, [off], {}, [])
    assert told["nodeStatus"] == {"n": "NodeNotReady"}
    assert told["copies"] == {"total": 1, "available": 0, "failed": 0}


def test_a_container_of_the_clusters_own_downloads_what_it_takes() -> None:
    def fetcher(name: str, workload: str) -> Object:
        container = {"name": "c", "image": f"me/{name}", "args": ["--quietly"]}
        spec = {"container": container, "supportedUriFormats": [{"prefix": "oci://"}], "workloadType": workload}
        return CLUSTER_STORAGE_CONTAINER.new(name, spec=spec)

    both = [fetcher("init", "initContainer"), fetcher("job", "localModelDownloadJob")]
    group = LOCAL_MODEL_NODE_GROUP.new("workers", spec={"persistentVolumeSpec": {"local": {"path": "/d"}}})

    def container_for(uri: str, there: list[Object]) -> Any:
        stores = Stores(containers=containers.of_downloads(uri, there))
        job = render.job(cache("m", uri), "n", group, stores, Given())
        return job["spec"]["template"]["spec"]["containers"][0]

    found = container_for("oci://registry/m", both)
    assert found["image"] == "me/job"
    assert found["args"] == ["--quietly", "oci://registry/m", "/mnt/models"]
    assert container_for("oci://registry/m", both[:1])["image"] == "me/init", "for want of one of its own"
    assert container_for("s3://b/m", both)["image"].startswith("fairway/")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Cluster, None]:
    (tmp_path / "house").mkdir()
    async with cluster(tmp_path / "house", node=True, features=(FEATURE,), kinds=KINDS) as running:
        yield running


async def test_a_size_that_is_no_amount_is_its_owners_mistake_and_stops_no_other_cache(tmp_path: Path) -> None:
    async with cluster(tmp_path, features=(FEATURE,), kinds=KINDS) as running:
        await add_group(running.client, tmp_path)
        odd = {"sourceModelUri": "s3://b/odd", "modelSize": "much", "nodeGroups": ["workers"]}
        await running.client.create(
            LOCAL_MODEL_NAMESPACE_CACHE, LOCAL_MODEL_NAMESPACE_CACHE.new("odd", "default", spec=odd)
        )
        await running.client.create(LOCAL_MODEL_CACHE, wish("good", "s3://b/good"))

        async def reason(kind: Kind, name: str, namespace: str | None) -> str:
            def judged(obj: Object | None) -> bool:
                return conditions.find(obj or {}, "Ready") is not None

            found = await running.client.wait(kind, name, namespace, judged, timeout=60)
            return str((conditions.find(found or {}, "Ready") or {})["reason"])

        assert await reason(LOCAL_MODEL_NAMESPACE_CACHE, "odd", "default") == "InvalidSpec"
        assert await reason(LOCAL_MODEL_CACHE, "good", None) == "NoNodes"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_model_is_downloaded_once_and_mounted_by_services(here: Cluster, tmp_path: Path, models: Path) -> None:
    uri = (models / "iris").as_uri()
    (tmp_path / "disk").mkdir()
    await add_group(here.client, tmp_path / "disk")
    await here.client.create(LOCAL_MODEL_CACHE, wish("iris-model", uri))
    found = await here.client.wait(
        LOCAL_MODEL_CACHE,
        "iris-model",
        None,
        lambda obj: obj is not None and conditions.is_true(obj, "Ready"),
        timeout=180,
    )
    assert found is not None
    assert found["status"]["nodeStatus"] == {NODE: "NodeDownloaded"}
    node = await here.client.wait(LOCAL_MODEL_NODE, NODE, None, lambda obj: bool((obj or {}).get("status")), timeout=60)
    assert node is not None
    assert node["status"]["modelStatus"] == {"iris-model": "ModelDownloaded"}
    await here.client.create(INFERENCE_SERVICE, service(uri))
    await here.client.wait(
        INFERENCE_SERVICE,
        "iris",
        "default",
        lambda obj: obj is not None and conditions.is_true(obj, "PredictorReady"),
        timeout=180,
    )
    (pod,) = (await here.client.list(POD, "default")).items
    (volume,) = (one for one in pod["spec"]["volumes"] if "persistentVolumeClaim" in one)
    assert volume["persistentVolumeClaim"]["claimName"] == "iris-model-workers"
    assert await here.client.find(PERSISTENT_VOLUME_CLAIM, "iris-model-workers", "default")
    await here.client.delete(INFERENCE_SERVICE, "iris", "default")
    await here.client.delete(LOCAL_MODEL_CACHE, "iris-model")
    for kind, name, namespace in (
        (PERSISTENT_VOLUME, "iris-model-workers-default", None),
        (PERSISTENT_VOLUME_CLAIM, "iris-model-workers", "default"),
    ):
        await here.client.wait(kind, name, namespace, lambda obj: obj is None, timeout=60)


async def test_what_cannot_be_kept_is_said(here: Cluster, tmp_path: Path) -> None:
    for name, uri, size in (("big", "s3://b/m", "2Gi"), ("odd", "oci://x", "1Mi")):
        await here.client.create(LOCAL_MODEL_CACHE, wish(name, uri, size))
    await add_group(here.client, tmp_path)

    async def said(name: str) -> str:
        obj = await here.client.wait(
            LOCAL_MODEL_CACHE,
            name,
            None,
            lambda obj: (
                (conditions.find(obj or {}, "Ready") or {}).get("reason") == "InvalidSpec"
                and "There is no" not in (conditions.find(obj or {}, "Ready") or {})["message"]
            ),
            timeout=10,
        )
        return str((conditions.find(obj or {}, "Ready") or {})["message"])

    assert "more than its storageLimit" in await said("big")
    assert "oci:// is not available" in await said("odd")


async def test_a_download_that_failed_says_why_and_begins_again_when_it_is_another_one(tmp_path: Path) -> None:
    """Nobody runs the pods here: the test says what became of them."""
    async with cluster(tmp_path, features=(FEATURE,), kinds=KINDS) as here:
        node = NODES.new(NODE)
        await here.client.create(NODES, {**node, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        await add_group(here.client, tmp_path)
        await here.client.create(LOCAL_MODEL_CACHE, wish("first", "s3://models/iris"))
        job = await found(here.client, JOB, lambda obj: True)
        pod = await found(here.client, POD, lambda obj: True)
        ended = {"exitCode": 1, "message": "The model cannot be fetched: no key opens it"}
        state = {"name": "storage-initializer", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        seen = {"phase": "Failed", "containerStatuses": [{**state, "state": {"terminated": ended}}]}
        await here.client.patch_status(POD, meta.name(pod), meta.namespace(pod), seen)
        gave_up = [{"type": one, "status": "True"} for one in ("FailureTarget", "Failed")]
        await here.client.patch_status(JOB, meta.name(job), meta.namespace(job), {"conditions": gave_up})

        def told(obj: Object | None) -> bool:
            ready = conditions.find(obj or {}, "Ready") or {}
            return ready.get("reason") == "DownloadFailed" and "no key opens it" in ready["message"]

        failed = await here.client.wait(LOCAL_MODEL_CACHE, "first", None, told, timeout=10)
        assert f"delete Job kserve-localmodel-jobs/{meta.name(job)}" in str((failed or {})["status"]["conditions"])
        await here.client.patch(LOCAL_MODEL_CACHE, "first", None, {"spec": {"storage": {"key": "mine"}}})
        await found(here.client, JOB, lambda obj: meta.uid(obj) != meta.uid(job) and not meta.being_deleted(obj))


async def found(client: Client, kind: Kind, fits: Callable[[Object], bool]) -> Object:
    async with aclosing(client.watch(kind, render.JOBS_NAMESPACE)) as changes:
        async for event in changes:
            if event.type != "DELETED" and event.object.get("kind") == kind.kind and fits(event.object):
                return event.object
    raise AssertionError("the watch ended")
