"""What a local model cache had goes with it: not before its last user, not while another cache has it, and wholly."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from fairway.cluster.network.kinds import KINDS
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.kernel.client.client import Client
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import JOB, NAMESPACE, POD, Object
from fairway.kernel.objects.kinds import NODE as NODES
from fairway.serving.caches import matching, render
from fairway.serving.caches.kinds import (
    CACHE_LABEL,
    LOCAL_MODEL_CACHE,
    LOCAL_MODEL_NAMESPACE_CACHE,
    LOCAL_MODEL_NODE,
    REMOVAL_LABEL,
)
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.storage import program
from fairway.testing.cluster import NODE, Cluster, cluster
from tests.serving.local_models import add_group, wish

URI = "s3://models/iris"


def is_ready(obj: Object | None) -> bool:
    return obj is not None and conditions.is_true(obj, "Ready")


def because(reason: str) -> Callable[[Object | None], bool]:
    return lambda obj: (conditions.find(obj or {}, "Ready") or {}).get("reason") == reason


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_files_go_with_the_last_cache_that_has_them(tmp_path: Path, models: Path) -> None:
    uri, disk = (models / "iris").as_uri(), tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "house").mkdir()
    spec = {"predictor": {"sklearn": {"storageUri": uri}}}
    async with cluster(tmp_path / "house", node=True, features=(FEATURE,), kinds=KINDS) as here:
        client = here.client
        await add_group(client, disk)
        await client.create(LOCAL_MODEL_CACHE, wish("iris", uri))
        folder = disk / matching.folder(wish("iris", uri))
        await client.wait(LOCAL_MODEL_CACHE, "iris", None, is_ready, timeout=180)
        assert (folder / "model.joblib").exists()
        twin = LOCAL_MODEL_NAMESPACE_CACHE.new("twin", "default", spec=wish("twin", uri)["spec"])
        await client.create(LOCAL_MODEL_NAMESPACE_CACHE, twin)
        await client.wait(LOCAL_MODEL_NAMESPACE_CACHE, "twin", "default", is_ready, timeout=180)
        await client.delete(LOCAL_MODEL_CACHE, "iris")
        await client.wait(LOCAL_MODEL_CACHE, "iris", None, lambda obj: obj is None, timeout=60)
        assert (folder / "model.joblib").exists(), "the other cache has it too"
        await client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new("user", "default", spec=spec))
        await client.wait(
            INFERENCE_SERVICE,
            "user",
            "default",
            lambda obj: obj is not None and conditions.is_true(obj, "PredictorReady"),
            timeout=180,
        )
        await client.delete(LOCAL_MODEL_NAMESPACE_CACHE, "twin", "default")
        held = await client.wait(LOCAL_MODEL_NAMESPACE_CACHE, "twin", "default", because("InUse"), timeout=60)
        assert "being used by InferenceService default/user" in (conditions.find(held or {}, "Ready") or {})["message"]
        assert (folder / "model.joblib").exists(), "a service uses it"
        await client.delete(INFERENCE_SERVICE, "user", "default")
        await client.wait(LOCAL_MODEL_NAMESPACE_CACHE, "twin", "default", lambda obj: obj is None, timeout=180)
        assert not list((disk / "models").iterdir())
        await client.wait(LOCAL_MODEL_NODE, NODE, None, lambda obj: obj is None, timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_cache_goes_with_its_namespace(tmp_path: Path, models: Path) -> None:
    uri, disk = (models / "iris").as_uri(), tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "house").mkdir()
    async with cluster(tmp_path / "house", node=True, features=(FEATURE,), kinds=KINDS) as here:
        client = here.client
        await add_group(client, disk)
        await client.create(NAMESPACE, NAMESPACE.new("team"))
        mine = LOCAL_MODEL_NAMESPACE_CACHE.new("iris", "team", spec=wish("iris", uri)["spec"])
        await client.create(LOCAL_MODEL_NAMESPACE_CACHE, mine)
        await client.wait(LOCAL_MODEL_NAMESPACE_CACHE, "iris", "team", is_ready, timeout=180)
        await client.delete(NAMESPACE, "team")
        await client.wait(NAMESPACE, "team", None, lambda obj: obj is None, timeout=180)
        assert not list((disk / "models").iterdir())


async def test_a_stop_in_the_middle_leaves_nothing_and_who_comes_meanwhile_waits(tmp_path: Path) -> None:
    """Nobody runs the pods here: the test says how far they are."""
    async with opened(tmp_path) as here:
        node = NODES.new(NODE)
        await here.client.create(NODES, {**node, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        await add_group(here.client, tmp_path)
        await here.client.create(LOCAL_MODEL_CACHE, wish("first", URI))
        await succeed(here.client, "first", removes=False)
        await here.client.wait(LOCAL_MODEL_CACHE, "first", None, is_ready, timeout=10)
        await here.client.delete(LOCAL_MODEL_CACHE, "first")
        await pod_of(here.client, "first", removes=True)
    async with opened(tmp_path) as here:
        for name, uri in (("second", URI), ("other", "s3://models/other")):  # each has all caches looked at again
            await here.client.create(LOCAL_MODEL_CACHE, wish(name, uri))
            await here.client.wait(LOCAL_MODEL_CACHE, name, None, because("Downloading"), timeout=10)
        jobs = sorted(meta.labels(one)[CACHE_LABEL] for one in (await here.client.list(JOB)).items)
        assert jobs == ["first", "first", "other"], "the second waits for the first, and that for its removal"
        await succeed(here.client, "first", removes=True)
        await here.client.wait(LOCAL_MODEL_CACHE, "first", None, lambda obj: obj is None, timeout=10)
        await succeed(here.client, "second", removes=False)
        await here.client.wait(LOCAL_MODEL_CACHE, "second", None, is_ready, timeout=10)


async def test_a_node_that_is_no_more_holds_nothing_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.client.create(NODES, NODES.new(NODE))
        await add_group(here.client, tmp_path)
        await here.client.create(LOCAL_MODEL_CACHE, wish("first", URI))
        await pod_of(here.client, "first", removes=False)
        await here.client.delete(NODES, NODE)
        await here.client.delete(LOCAL_MODEL_CACHE, "first")
        await here.client.wait(LOCAL_MODEL_CACHE, "first", None, lambda obj: obj is None, timeout=10)


async def test_the_address_of_a_cache_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as here:
        await here.client.create(LOCAL_MODEL_CACHE, wish("first", URI))
        with pytest.raises(errors.ApiError, match="StorageUri is immutable"):
            await here.client.patch(LOCAL_MODEL_CACHE, "first", None, {"spec": {"sourceModelUri": "s3://models/other"}})


def test_a_folder_loses_its_name_before_its_files(tmp_path: Path) -> None:
    for name in ("model", ".leaving-model"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_text("x")
    (tmp_path / "other").mkdir()
    assert program.main([f"--remove={tmp_path / 'model'}"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert program.main([f"--remove={tmp_path / 'model'}"]) == 0, "it may run again"


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Cluster, None]:
    """A database is kept in the folder."""
    async with cluster(
        folder, store=await SQLiteStore.open(folder / "objects.db"), features=(FEATURE,), kinds=KINDS
    ) as here:
        yield here


async def pod_of(client: Client, cache: str, *, removes: bool) -> Object:
    """The pod of the Job that downloads, or takes away, what the cache has."""

    def fits(pod: Object) -> bool:
        return (REMOVAL_LABEL in meta.labels(pod)) == removes and meta.name(pod).startswith(cache)

    async with aclosing(client.watch(POD, render.JOBS_NAMESPACE)) as changes:
        async for event in changes:
            if event.type == "ADDED" and fits(event.object):
                return event.object
    raise AssertionError("the watch ended")


async def succeed(client: Client, cache: str, *, removes: bool) -> None:
    pod = await pod_of(client, cache, removes=removes)
    await client.patch_status(POD, meta.name(pod), meta.namespace(pod), {"phase": "Succeeded"})
