"""A cluster beside the tests of unmodified clients: API, controllers and a node that runs pods, in a thread of its own,
so that clients which block and clients which do not are tested alike."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import NAMESPACE, Object
from fairway.testing.cluster import Cluster, cluster


@dataclass(frozen=True)
class House:
    kubeconfig: Path
    loop: asyncio.AbstractEventLoop
    client: Client
    """For use inside the house's loop only."""

    def namespace(self) -> str:
        """A new namespace with a name of its own."""
        name = f"n{uuid.uuid4().hex[:8]}"
        self.create_namespace(name)
        return name

    def create_namespace(self, name: str) -> Object:
        making = self.client.create(NAMESPACE, {"metadata": {"name": name}})
        return asyncio.run_coroutine_threadsafe(making, self.loop).result(20)


@contextmanager
def house(folder: Path) -> Iterator[House]:
    opened: Future[House] = Future()
    closing = threading.Event()

    async def live() -> None:
        try:
            async with cluster(folder, node=True) as here:
                opened.set_result(_house(here))
                await asyncio.to_thread(closing.wait)
        except BaseException as problem:
            if not opened.done():
                opened.set_exception(problem)
            raise

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="house", daemon=True)
    thread.start()
    try:
        yield opened.result(60)
    finally:
        closing.set()
        thread.join(60)


def _house(here: Cluster) -> House:
    return House(here.kubeconfig, asyncio.get_running_loop(), here.client)


def pod(name: str, *command: str, **more: object) -> Object:
    """A pod whose one container, `main`, runs a command of a shell."""
    container = {"name": "main", "image": "busybox", "command": ["/bin/sh", "-c", *command]}
    spec = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **more}, "spec": spec}
