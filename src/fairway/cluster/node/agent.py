"""The agent: a watch of the pods bound to this node, a worker for each, and order on disk.

It decides nothing about a pod; it sees to it that exactly one worker does, and that what belongs to no pod goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from fairway.cluster.node.containers import Tools
from fairway.cluster.node.runtime import ContainerState
from fairway.cluster.node.worker import Worker, remove_object
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Ready
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

log = logging.getLogger(__name__)

_TRY_AGAIN = 5.0


class Agent:
    def __init__(self, tools: Tools, pods: Mirror) -> None:
        self._tools, self._pods = tools, pods
        self._workers: dict[str, Worker] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, ready: Ready) -> None:
        """For ever. The runtime is open already."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._pods.run(), name="node-pods")
            await self._pods.synced()
            self._keep()
            self._pods.subscribe(self._changed)
            await self._sweep()
            ready()

    def ended(self, state: ContainerState) -> None:
        """A container's end, from the runtime."""
        if worker := self._workers.get(state.id.pod):
            worker.ended(state)

    def uses(self, claim: Object) -> bool:
        """Whether a pod that is not over has the claim among its volumes."""
        mine = (each for each in self._pods.all(meta.namespace(claim)) if not _is_over(each))
        volumes = (volume for pod in mine for volume in pod["spec"].get("volumes") or ())
        claims = (volume["persistentVolumeClaim"] for volume in volumes if volume.get("persistentVolumeClaim"))
        return any(found["claimName"] == meta.name(claim) for found in claims)

    async def stop_pods(self) -> None:
        """Stop what runs and take nothing new: the node goes down."""
        self._tools.leaving.set()
        for worker in self._workers.values():
            worker.shut_down()
        if self._running:
            await asyncio.wait(self._running)

    def _keep(self) -> None:
        """Of a pod that cannot be read its own worker says so: the others are found again, and the node begins."""
        for pod in self._pods.all():
            if not _is_over(pod):
                try:
                    self._tools.launcher.keep(pod)
                except Exception as problem:
                    log.warning("what pod %s had is not known any more: %s", meta.name(pod), problem)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
            self._forget(old)
        if new is None or self._tools.leaving.is_set():
            return
        if worker := self._workers.get(meta.uid(new)):
            worker.update(new)
        elif not _is_over(new):
            self._adopt(new)
        elif meta.being_deleted(new):
            self._spawn(remove_object(self._tools, new), f"remove-{meta.name(new)}")

    def _adopt(self, pod: Object) -> None:
        worker = self._workers[meta.uid(pod)] = Worker(self._tools, pod)
        self._spawn(self._work(worker), f"pod-{meta.name(pod)}")

    def _forget(self, pod: Object) -> None:
        if worker := self._workers.get(meta.uid(pod)):
            worker.gone()
        else:
            self._spawn(self._clean(meta.uid(pod)), f"clean-{meta.name(pod)}")

    async def _work(self, worker: Worker) -> None:
        uid = meta.uid(worker.pod)
        while True:
            try:
                await worker.run()
                break
            except Exception:
                log.exception("pod %s failed and will be looked at again", meta.name(worker.pod))
                await self._tools.clock.sleep(_TRY_AGAIN)
                worker = self._workers[uid] = Worker(self._tools, worker.pod)
        del self._workers[uid]
        self._tools.launcher.free(uid)
        current = self._pods.get(*meta.key(worker.pod))
        if current is None or meta.uid(current) != uid:
            await self._clean(uid)
        elif meta.being_deleted(current) and not meta.being_deleted(worker.pod):
            await remove_object(self._tools, current)

    async def _clean(self, uid: str) -> None:
        await self._tools.runtime.remove(uid)

    async def _sweep(self) -> None:
        """What is on disk of pods that were deleted while nobody looked."""
        known = {meta.uid(pod) for pod in self._pods.all()}
        for uid in self._tools.runtime.pods() - known:
            await self._clean(uid)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        assert self._tasks is not None
        task = self._tasks.create_task(_alone(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _alone(work: Coroutine[None, None, None], name: str) -> None:
    """What goes wrong with one pod ends nothing but the work on it."""
    try:
        await work
    except Exception:
        log.exception("%s failed", name)


def _is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
