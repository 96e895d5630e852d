"""Bad days of containers in an engine: the server dies, a shepherd dies, the data directory goes. Nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node.engine.client import LABEL
from fairway.cluster.node.engine.finding import Finder
from fairway.testing.containers import Local

from .conftest import Bench, main, phase, state

pytestmark = pytest.mark.slow
_LONG = 60
_STAY = ("sh", "-c", "trap 'exit 4' TERM; echo begun; sleep 1000 & wait")


def container(local: Local) -> dict[str, Any]:
    return {"image": local.busybox, "imagePullPolicy": "Never"}


async def alive(local: Local) -> list[str]:
    return (await local.engine.call("ps", "--filter", f"label={LABEL}", "--format", "{{.Names}}")).split()


async def nothing_left(local: Local, uid: str) -> None:
    async with asyncio.timeout(_LONG):
        while any(uid in name for name in await alive(local)):
            await asyncio.sleep(0.2)


async def test_a_running_container_is_found_again(bench: Bench, local: Local) -> None:
    async with bench.node(engine=local.setting):
        await bench.create("stays", *_STAY, container=container(local))
        before = await bench.until("stays", lambda pod: state(pod, "running"), timeout=_LONG)
        await bench.said("stays", "begun")
    async with bench.node(engine=local.setting) as node:
        pod = await bench.until("stays", lambda pod: state(pod, "running"), timeout=_LONG)
        assert (main(pod)["restartCount"], pod["status"]["podIP"]) == (0, before["status"]["podIP"])
        assert await bench.log("stays") == "begun\n"
        await node.shutdown(stop_pods=True)
    await nothing_left(local, before["metadata"]["uid"])


async def test_a_node_that_no_longer_wants_an_engine_still_ends_what_it_started(bench: Bench, local: Local) -> None:
    async with bench.node(engine=local.setting):
        await bench.create("stays", *_STAY, container=container(local))
        pod = await bench.until("stays", lambda pod: state(pod, "running"), timeout=_LONG)
        await bench.said("stays", "begun")
    async with bench.node() as node:
        await bench.until("stays", lambda pod: state(pod, "running"), timeout=_LONG)
        await node.shutdown(stop_pods=True)
    await nothing_left(local, pod["metadata"]["uid"])


async def test_a_shepherd_that_is_killed_leaves_no_container(engine_pods: Bench, local: Local) -> None:
    await engine_pods.create("orphan", *_STAY, container=container(local))
    pod = await engine_pods.until("orphan", lambda pod: state(pod, "running"), timeout=_LONG)
    await engine_pods.said("orphan", "begun")
    os.kill(_shepherd(engine_pods.folder), signal.SIGKILL)
    pod = await engine_pods.until("orphan", lambda pod: phase(pod) == "Failed", timeout=_LONG)
    assert state(pod, "terminated")["reason"] == "ContainerStatusUnknown"
    await nothing_left(local, pod["metadata"]["uid"])


async def test_a_data_directory_that_is_removed_takes_its_containers_along(bench: Bench, local: Local) -> None:
    async with bench.node(engine=local.setting):
        await bench.create("stays", *_STAY, container=container(local))
        pod = await bench.until("stays", lambda pod: state(pod, "running"), timeout=_LONG)
        await bench.said("stays", "begun")
    shutil.rmtree(bench.folder)
    await nothing_left(local, pod["metadata"]["uid"])


async def test_an_engine_that_does_not_work_is_told_of(tmp_path: Path) -> None:
    broken = tmp_path / "podman"
    broken.write_text("#!/bin/sh\necho 'Error: no subuid ranges found for user' >&2\nexit 125\n")
    broken.chmod(0o755)
    finder = Finder(tmp_path, str(broken))
    assert await finder.engine() is None
    assert finder.why_not == "podman does not work here: no subuid ranges found for user"
    missing = Finder(tmp_path, "/nowhere/podman")
    assert await missing.engine() is None
    assert "/nowhere/podman cannot be run" in missing.why_not


async def test_what_worked_at_the_last_start_is_tried_first(tmp_path: Path, local: Local) -> None:
    first = await Finder(tmp_path, "auto").engine()
    assert first is not None
    note = tmp_path / "engine" / "works.json"
    assert json.loads(note.read_text())["options"] == list(first.options)
    note.write_text(note.read_text().replace('"label=disable"', '"label=disable", "--hostname", "remembered"'))
    again = await Finder(tmp_path, "auto").engine()
    assert again is not None and "remembered" in again.options
    note.write_text("{}")
    assert await Finder(tmp_path, "auto").engine() == first


async def test_without_an_engine_the_pod_says_how_to_get_one(pods: Bench) -> None:
    await pods.create("foreign", "true", container={"image": "quay.io/example/thing:1"})
    pod = await pods.until("foreign", lambda pod: state(pod, "waiting").get("message"))
    waiting = state(pod, "waiting")
    assert waiting["reason"] == "ImageNotInCatalogue"
    assert "install podman or docker" in waiting["message"]
    await pods.create("asked", "true", annotations={"fairway.dev/runtime": "container"})
    pod = await pods.until("asked", lambda pod: state(pod, "waiting").get("message"))
    assert state(pod, "waiting")["reason"] == "NoContainerEngine"
    await pods.create("odd", "true", annotations={"fairway.dev/runtime": "vm"})
    pod = await pods.until("odd", lambda pod: state(pod, "waiting").get("message"))
    assert state(pod, "waiting")["reason"] == "InvalidRuntime"


def _shepherd(folder: Path) -> int:
    """The process that holds the lock of the engine's shepherd."""
    (lock,) = (folder / "shepherds").glob("engine-*.lock")
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = entry.read_bytes()
            if lock.stem.encode() in command and str(folder).encode() in command:
                return int(entry.parent.name)
    raise AssertionError("the shepherd is not there")
