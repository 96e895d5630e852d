"""A node on a real API, in one event loop: pods are processes."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.node.build import Node, NodeConfig, build
from fairway.cluster.node.executions import Executions
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, SystemClock
from fairway.kernel.objects.kinds import POD, SERVICE_ACCOUNT, Object
from fairway.testing import containers
from fairway.testing.cluster import Cluster, cluster
from fairway.up.front import start, task_group

NODE = "here"


class Bench:
    """A cluster, and a node that can be taken away and put back."""

    def __init__(self, here: Cluster, folder: Path) -> None:
        self.here, self.folder = here, folder
        self.client: Client = here.client
        self.executions: Executions

    @asynccontextmanager
    async def node(self, clock: Clock | None = None, **config: Any) -> AsyncIterator[Node]:
        """Leaving the block is as if the server were killed: what runs goes on."""
        settings = {"restart_delay": 0.05, **config}
        where = NodeConfig(NODE, self.folder, self.here.api_url, "", **settings)
        node = build(self.client, clock or SystemClock(), where)
        self.executions = node.executions
        self.here.api.reach_pods(node.logs, node.executions)
        async with task_group() as tasks:
            await start((node.parts,), self.client, SystemClock(), tasks)
            yield node

    async def create(self, name: str, *command: str, **spec: Any) -> Object:
        """A pod of one container; `spec` adds to the pod, `container` in it to the container."""
        annotations = spec.pop("annotations", {})
        container = {"name": "main", "image": "busybox", "command": list(command), **spec.pop("container", {})}
        spec = {"restartPolicy": "Never", "nodeName": NODE, "containers": [container], **spec}
        return await self.client.create(POD, POD.new(name, "default", metadata={"annotations": annotations}, spec=spec))

    async def until(self, name: str, condition: Callable[[Object], object], timeout: float = 60) -> Object:
        found = await self.client.wait(
            POD, name, "default", lambda pod: pod is not None and bool(condition(pod)), timeout=timeout
        )
        assert found is not None
        return found

    async def over(self, name: str) -> Object:
        return await self.until(name, lambda pod: phase(pod) in ("Succeeded", "Failed"))

    async def gone(self, name: str) -> None:
        await self.client.wait(POD, name, "default", lambda pod: pod is None, timeout=60)

    async def swept(self, pod: Object) -> None:
        """Once nothing of the pod is on disk any more."""
        async with asyncio.timeout(60):
            while (self.folder / "pods" / pod["metadata"]["uid"]).exists():
                await asyncio.sleep(0.01)

    async def said(self, name: str, text: str) -> None:
        """Once the container has printed it."""
        heard = ""
        async for piece in self.client.logs(name, "default", follow=True):
            heard += piece.decode()
            if text in heard:
                return
        raise AssertionError(f"{name} ended without saying {text}: {heard}")

    async def log(self, name: str, **options: Any) -> str:
        return b"".join([piece async for piece in self.client.logs(name, "default", **options)]).decode()


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def main(pod: Object) -> Object:
    """The status of the (first) container."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


def state(pod: Object, word: str) -> Object:
    """The named state of the container, empty where it is in another."""
    return dict((main(pod).get("state") or {}).get(word) or {})


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with cluster(tmp_path / "cluster") as here:
        await asyncio.wait_for(_default_account(here), 60)
        yield Bench(here, tmp_path / "node")


async def _default_account(here: Cluster) -> None:
    await here.client.wait(SERVICE_ACCOUNT, "default", "default", lambda account: account is not None)


@pytest.fixture
async def pods(bench: Bench) -> AsyncIterator[Bench]:
    """The bench with its node, which stops its pods at the end."""
    async with bench.node() as node:
        yield bench
        await node.shutdown(stop_pods=True)


@pytest.fixture(scope="session")
def local() -> containers.Local:
    return containers.local()


@pytest.fixture
async def engine_pods(bench: Bench, local: containers.Local) -> AsyncIterator[Bench]:
    """The bench with a node that uses the container engine of this machine."""
    async with bench.node(engine=local.setting) as node:
        yield bench
        await node.shutdown(stop_pods=True)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path, "greeting", "TEXT = 'hello'\n")


def make_wheel(folder: Path, name: str, source: str) -> Path:
    """The smallest wheel there is."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path
