"""ConfigMaps, Secrets, labels and annotations in volumes: what changes is seen by whoever runs, all at once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node.runtime import CannotStart
from fairway.cluster.node.variables import values
from fairway.cluster.node.volumes import publishing
from fairway.cluster.node.volumes.publishing import File
from fairway.kernel.objects.kinds import CONFIG_MAP, POD, SECRET, Kind, Object
from fairway.testing.containers import Local

from .conftest import Bench, phase, state

_WAIT = "until test -e $HOME/go; do sleep 0.02; done"


async def config(bench: Bench, name: str, **data: str) -> None:
    await bench.client.create(CONFIG_MAP, {**CONFIG_MAP.new(name, "default"), "data": data})


async def change(bench: Bench, name: str, **data: str) -> None:
    await bench.client.patch(CONFIG_MAP, name, "default", {"data": data})


def mounted(*volumes: Object, **more: Any) -> dict[str, Any]:
    """Each volume at /NAME-test."""
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}-test"} for volume in volumes]
    return {"volumes": list(volumes), "container": {"volumeMounts": mounts, **more}}


def folder(bench: Bench, pod: Object) -> Path:
    return bench.folder / "pods" / pod["metadata"]["uid"]


async def seen(path: Path, text: str | None) -> None:
    """Once the file says so, or is gone."""
    async with asyncio.timeout(60):
        while (path.read_text() if path.exists() else None) != text:
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_container_sees_the_change_where_it_mounts_the_whole_volume(pods: Bench) -> None:
    await config(pods, "c", word="one", goes="x")
    secret = {**SECRET.new("s", "default"), "data": {"key": base64.b64encode(b"old").decode()}}
    await pods.client.create(SECRET, secret)
    spec = mounted(
        {"name": "c", "configMap": {"name": "c"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "c"}}]}},
    )
    spec["container"]["volumeMounts"].append({"name": "c", "mountPath": "/part-test", "subPath": "word"})
    script = (
        "cat /c-test/word /p-test/key /part-test; echo; echo begun; until test -e /c-test/comes; do sleep 0.02; done; "
        "until grep -q new /p-test/key; do sleep 0.02; done; "
        "cat /c-test/word /p-test/word /p-test/key /part-test; echo; ls /c-test; touch /c-test/x && echo written"
    )
    await pods.create("p", "sh", "-c", script, **spec)
    await pods.until("p", lambda pod: state(pod, "running"))
    await pods.said("p", "begun")
    await pods.client.patch(CONFIG_MAP, "c", "default", {"data": {"word": "two", "goes": None, "comes": "y"}})
    await pods.client.patch(SECRET, "s", "default", {"data": {"key": base64.b64encode(b"new").decode()}})
    pod = await pods.over("p")
    assert phase(pod) == "Failed" and not (folder(pods, pod) / "volumes" / "c" / "x").exists()
    assert (await pods.log("p")).split("\n")[:5] == ["oneoldone", "begun", "twotwonewone", "comes", "word"]


async def test_what_is_optional_comes_and_goes_and_what_is_not_stays(pods: Bench) -> None:
    await config(pods, "needed", a="kept")
    spec = mounted(
        {"name": "o", "configMap": {"name": "wanted", "optional": True}},
        {"name": "n", "configMap": {"name": "needed"}},
    )
    await pods.create("p", "sleep", "1000", **spec)
    volumes = folder(pods, await pods.until("p", lambda pod: state(pod, "running"))) / "volumes"
    await config(pods, "wanted", a="there")
    await seen(volumes / "o" / "a", "there")
    await pods.client.delete(CONFIG_MAP, "needed", "default")
    await pods.client.delete(CONFIG_MAP, "wanted", "default")
    await seen(volumes / "o" / "a", None)
    assert (volumes / "n" / "a").read_text() == "kept"
    await config(pods, "needed", a="again")
    await seen(volumes / "n" / "a", "again")


async def test_what_is_immutable_is_not_looked_at_again(pods: Bench) -> None:
    await pods.client.create(CONFIG_MAP, {**CONFIG_MAP.new("i", "default"), "data": {"a": "1"}, "immutable": True})
    await config(pods, "c", a="1")
    spec = mounted({"name": "i", "configMap": {"name": "i"}}, {"name": "c", "configMap": {"name": "c"}})
    await pods.create("p", "sleep", "1000", **spec)
    volumes = folder(pods, await pods.until("p", lambda pod: state(pod, "running"))) / "volumes"
    await change(pods, "c", a="2")
    await seen(volumes / "c" / "a", "2")
    await pods.client.delete(CONFIG_MAP, "i", "default")
    await config(pods, "i", a="2")
    await change(pods, "c", a="3")
    await seen(volumes / "c" / "a", "3")
    assert (volumes / "i" / "a").read_text() == "1"


async def test_a_pods_own_labels_and_annotations(pods: Bench) -> None:
    items = [{"path": name, "fieldRef": {"fieldPath": f"metadata.{name}"}} for name in ("labels", "annotations")]
    await pods.create("p", "sleep", "1000", **mounted({"name": "d", "downwardAPI": {"items": items}}))
    volumes = folder(pods, await pods.until("p", lambda pod: state(pod, "running"))) / "volumes"
    await pods.client.patch(POD, "p", "default", {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}})
    await seen(volumes / "d" / "labels", 'a="b"')
    await seen(volumes / "d" / "annotations", 'c="d"')


async def test_an_agent_that_comes_back_goes_on(bench: Bench) -> None:
    await config(bench, "c", a="1")
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    projected = {"name": "p", "projected": {"sources": [{"configMap": {"name": "c"}}, token], "defaultMode": 0o440}}
    async with bench.node():
        await bench.create("p", "sleep", "1000", **mounted(projected))
        place = folder(bench, await bench.until("p", lambda pod: state(pod, "running"))) / "volumes" / "p"
        first = (place / "token").read_text()
    await change(bench, "c", a="2")
    async with bench.node() as node:
        await seen(place / "a", "2")
        await change(bench, "c", a="3")
        await seen(place / "a", "3")
        assert (place / "token").read_text() == first
        assert (place / "a").stat().st_mode & 0o777 == 0o440
        await node.shutdown(stop_pods=True)


async def test_nothing_is_watched_for_pods_that_are_over(pods: Bench) -> None:
    def watches() -> list[str]:
        return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("node-volumes-"))

    await config(pods, "c", a="1")
    spec = mounted({"name": "v", "configMap": {"name": "c"}})
    for name in ("p", "q"):
        await pods.create(name, "sh", "-c", _WAIT, **spec)
    for name in ("p", "q"):
        pod = await pods.until(name, lambda pod: state(pod, "running"))
        await until(lambda: watches() == ["node-volumes-configmaps-default"])
        (folder(pods, pod) / "home").mkdir(exist_ok=True)
        (folder(pods, pod) / "home" / "go").touch()
        await pods.over(name)
    await until(lambda: not watches())


@pytest.mark.slow
async def test_a_container_of_an_engine_sees_the_change(engine_pods: Bench, local: Local) -> None:
    await config(engine_pods, "c", word="one")
    spec = mounted({"name": "c", "configMap": {"name": "c"}}, image=local.busybox, imagePullPolicy="IfNotPresent")
    spec["container"]["volumeMounts"].append({"name": "c", "mountPath": "/part-test", "subPath": "word"})
    script = "echo begun; until grep -q two /c-test/word; do sleep 0.02; done; cat /part-test; touch /c-test/x || true"
    pod = await engine_pods.create("p", "sh", "-c", script, **spec)
    await engine_pods.until("p", lambda pod: state(pod, "running"), timeout=60)
    await engine_pods.said("p", "begun")
    await change(engine_pods, "c", word="two")
    await engine_pods.until("p", lambda pod: phase(pod) == "Succeeded", timeout=60)
    assert "one" in await engine_pods.log("p")
    assert not (folder(engine_pods, pod) / "volumes" / "c" / "x").exists()


# Replaced all at once


def test_what_a_reader_sees_is_the_old_or_the_new(tmp_path: Path) -> None:
    publishing.publish(tmp_path, {"a": File(b"1", 0o644), "b/c": File(b"1", 0o600)})
    old = (tmp_path / "..data").resolve()
    assert (tmp_path / "a").resolve().parent == old and (tmp_path / "b" / "c").stat().st_mode & 0o777 == 0o600
    publishing.publish(tmp_path, {"a": File(b"1", 0o644), "b/c": File(b"1", 0o600)})
    assert (tmp_path / "..data").resolve() == old, "nothing changed, and yet it was written"
    with pytest.raises(OSError):
        publishing.publish(tmp_path, {"a": File(b"2", 0o644), "a/b": File(b"2", 0o644)})
    assert (tmp_path / "..data").resolve() == old and (tmp_path / "a").read_bytes() == b"1"
    publishing.publish(tmp_path, {"a": File(b"2", 0o644)})
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[:2] != "..") == ["a"]
    assert (tmp_path / "a").read_bytes() == b"2" and not old.exists()


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/a", "..data", ""])
def test_no_path_leaves_its_volume(path: str, tmp_path: Path) -> None:
    with pytest.raises(CannotStart):
        publishing.publish(tmp_path, {path: File(b"1", 0o644)})


def test_files_of_an_earlier_version_become_links(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_text("old")
    publishing.publish(tmp_path, {"a": File(b"1", 0o644), "b/c": File(b"1", 0o644)})
    assert (tmp_path / "a").read_text() == (tmp_path / "b" / "c").read_text() == "1"
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


async def test_what_cannot_be_decoded_is_said_by_the_pod_that_wants_it() -> None:
    """Such a ConfigMap is refused today; an earlier Fairway took it."""

    async def fetch(kind: Kind, name: str, namespace: str) -> Object | None:
        return {**CONFIG_MAP.new(name, namespace), "binaryData": {"a": "abc"}}

    with pytest.raises(CannotStart, match='configmap "c": a value under binaryData is not base64'):
        await values(CONFIG_MAP, {"name": "c"}, "default", fetch)
