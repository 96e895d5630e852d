"""Pods of finished steps, which stay for whoever looks with kubectl, are bounded in number: the oldest go.

A run of ten thousand steps would leave ten thousand of them in the memory of the cluster's API. What a pod knows that
the records do not is its log; that is put into the task folder first, where the API finds it. Runs that leave the
cluster as a whole are `expiring`'s.
"""

from __future__ import annotations

import asyncio
import heapq

from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import POD, Object
from fairway.kernel.objects.meta import Key
from fairway.pipelines import tasks
from fairway.pipelines.engine import attempts, logs
from fairway.pipelines.engine.play import Means
from fairway.pipelines.kinds import RUN
from fairway.pipelines.render import pods

_EVERY = 5.0
"""Seconds between two looks, while runs begin, go on or end."""
_AT_ONCE = 2
"""Nobody waits for it, and who starts steps meanwhile should not notice."""


class Crowding:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._looked_at = 0.0
        self._asked_at: dict[Key, float] = {}

    def controller(self) -> Controller:
        return Controller(name="step-pods", kind=RUN, reconcile=self.reconcile, workers=1, reads=(POD,))

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        """A run has moved: so may have its pods. One look counts for all runs that asked for one before it."""
        key, now = (namespace, name), world.clock.now()
        if self._asked_at.setdefault(key, now) > self._looked_at:
            if now < self._looked_at + _EVERY:
                return self._looked_at + _EVERY - now
            self._looked_at = now
            await self._make_room(world)
        del self._asked_at[key]
        run = world.mirror(RUN).get(namespace, name)
        return None if run is None or (run.get("status") or {}).get("phase") in tasks.OVER else _EVERY

    async def _make_room(self, world: World) -> None:
        over = [pod for pod in world.mirror(POD).all() if pods.RUN_LABEL in meta.labels(pod) and attempts.over(pod)]
        excess = len(over) - self._means.settings.kept_pods
        slots = asyncio.Semaphore(_AT_ONCE)

        async def remove(pod: Object) -> None:
            async with slots:
                await self._remove(world, pod)

        if excess > 0:
            await asyncio.gather(*(remove(pod) for pod in heapq.nsmallest(excess, over, key=_ended_at)))

    async def _remove(self, world: World, pod: Object) -> None:
        name, namespace = meta.name(pod), meta.namespace(pod)
        run, folder = meta.labels(pod)[pods.RUN_LABEL], pods.folder_of(pod)
        task = meta.labels(pod).get(pods.TASK_LABEL, "")
        if not await self._means.records.read(lambda connection: tasks.is_decided(connection, task, name)):
            return  # it is still to say how it ended, which of some steps nothing else tells
        # A label and an argument can be written by whoever may make pods in a namespace of his own.
        known = await self._means.records.read(lambda connection: tasks.belongs(connection, run, namespace))
        if known and f"/{run}/" in folder:
            await logs.keep(self._means, world.client, name, namespace, folder)
        await world.client.delete(POD, name, namespace, grace_seconds=0, uid=meta.uid(pod))


def _ended_at(pod: Object) -> str:
    """As the text that the status has, whose order is that of time."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if ended := (container.get("state") or {}).get("terminated"):
            return str(ended.get("finishedAt") or "")
    return str(pod["metadata"].get("creationTimestamp") or "")
