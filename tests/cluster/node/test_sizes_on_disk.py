"""A pod that takes more of the disk than it may is evicted, in upstream's words; one that does not is left alone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node.volumes import sizes
from fairway.kernel.clock import FakeClock
from fairway.kernel.objects.kinds import EVENT, POD, Object

from .conftest import Bench, main, phase, state

_LOOK = 10


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock(time.time())


@pytest.fixture
async def timed(bench: Bench, clock: FakeClock) -> AsyncIterator[Bench]:
    """The bench with a node whose time stands still."""
    async with bench.node(clock) as node:
        yield bench
        stopping = asyncio.create_task(node.shutdown(stop_pods=True))
        while not stopping.done():
            await clock.advance(1)
            await asyncio.sleep(0.02)
        await stopping


def limited(size: str, script: str, **empty_dir: str) -> dict[str, Any]:
    volume = {"name": "x", "emptyDir": {"sizeLimit": size, **empty_dir}}
    mounts = [{"name": "x", "mountPath": "/x-test"}]
    container = {"command": ["sh", "-c", f"{script}; echo written; sleep 1000"], "volumeMounts": mounts}
    return {"volumes": [volume], "container": container, "restartPolicy": "Always"}


async def written(bench: Bench, name: str) -> Object:
    pod = await bench.until(name, lambda pod: state(pod, "running"))
    await bench.said(name, "written")
    return pod


async def looked(bench: Bench, clock: FakeClock, name: str) -> Object:
    """The pod, once it is evicted by a look at what it has."""
    waiting = asyncio.create_task(bench.over(name))
    await clock.advance(_LOOK)
    while not waiting.done():
        await clock.advance(0.5)
        await asyncio.sleep(0.02)
    return await waiting


@pytest.mark.parametrize("medium", [{}, {"medium": "Memory"}])
async def test_an_empty_dir_over_its_limit_ends_the_pod(timed: Bench, clock: FakeClock, medium: dict[str, str]) -> None:
    fill = "head -c 2000000 /dev/urandom > /x-test/f"
    await timed.create("small", **limited("4Mi", fill, **medium))
    await timed.create("big", **limited("1Mi", fill, **medium))
    pod, small = await written(timed, "big"), await written(timed, "small")
    pod = await looked(timed, clock, "big")
    message = 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". '
    assert (phase(pod), pod["status"]["reason"], pod["status"]["message"]) == ("Failed", "Evicted", message)
    assert state(pod, "terminated") and main(pod)["restartCount"] == 0
    events = (await timed.client.list(EVENT, "default", fields="involvedObject.name=big")).items
    assert [event["message"] for event in events if event["reason"] == "Evicted"] == [message]
    taken = timed.folder / "pods" / pod["metadata"]["uid"] / "volumes" / "x" / "f"
    async with asyncio.timeout(60):
        while taken.exists():  # it is given back once the pod is over
            await clock.advance(0.5)
            await asyncio.sleep(0.02)
    assert phase(await timed.client.get(POD, "small", "default")) == "Running"
    assert small["metadata"]["uid"] != pod["metadata"]["uid"]


async def test_what_a_pod_writes_beside_its_volumes_counts_for_its_containers(timed: Bench, clock: FakeClock) -> None:
    script = "head -c 2000000 /dev/urandom > $HOME/f; echo written; sleep 1000"
    container = {"command": ["sh", "-c", script], "resources": {"limits": {"ephemeral-storage": "1Mi"}}}
    await timed.create("big", container=container)
    await written(timed, "big")
    pod = await looked(timed, clock, "big")
    assert (phase(pod), pod["status"]["reason"]) == ("Failed", "Evicted")
    message = "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    assert pod["status"]["message"] == message


def pod_of(*containers: Object, volumes: tuple[Object, ...] = ()) -> Object:
    return POD.new("p", "default", metadata={"uid": "u"}, spec={"containers": list(containers), "volumes": volumes})


def one(name: str, limit: str = "") -> Object:
    return {"name": name, "resources": {"limits": {"ephemeral-storage": limit} if limit else {}}}


def test_only_pods_with_a_limit_are_looked_at() -> None:
    assert not sizes.limited(pod_of(one("a"), volumes=({"name": "x", "emptyDir": {}},)))
    assert not sizes.limited(pod_of(one("a"), volumes=({"name": "x", "emptyDir": {"sizeLimit": "0"}},)))
    assert sizes.limited(pod_of(one("a"), volumes=({"name": "x", "emptyDir": {"sizeLimit": "1Mi"}},)))
    assert sizes.limited(pod_of(one("a", "1Gi")))


def test_the_log_of_one_container_counts_for_it_alone(tmp_path: Path) -> None:
    (tmp_path / "loud.0").mkdir()
    (tmp_path / "loud.0" / "log").write_bytes(os.urandom(200_000))
    told = sizes.exceeded(pod_of(one("loud", "100Ki"), one("other", "1Mi")), tmp_path)
    assert told == 'Container loud exceeded its local ephemeral storage limit "100Ki". '
    assert sizes.exceeded(pod_of(one("loud", "300Ki"), one("other", "1Mi")), tmp_path) == ""


def test_links_add_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f").write_bytes(os.urandom(100_000))
    before = sizes.used(tmp_path)
    (tmp_path / "in" / "g").hardlink_to(tmp_path / "in" / "f")
    (tmp_path / "loop").symlink_to(".")  # a long target would take a block of its own
    assert 100_000 <= before == sizes.used(tmp_path)
