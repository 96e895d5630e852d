"""Takes a canary back that breaks the bounds which were set, by the counters of its own pods.

What was decided is written onto the canary's Deployment, so that it outlives everything; the service's controller
reads it there, gives the canary no more requests, and says why. A new version begins without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp

from fairway.kernel.control import controller, events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import DEPLOYMENT, POD, Object
from fairway.kernel.objects.meta import Key
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.rollout import bounds
from fairway.serving.rollout.arrangement import CANARY, ROLLED_BACK, STAGE, version
from fairway.serving.rollout.bounds import Counts
from fairway.serving.scaling.pods import answering, place
from fairway.serving.scaling.stats import Stats

_EVERY = 2.0
_MEMORY = 15
"""Looks that count together: half a minute."""


@dataclass
class _Watched:
    version: str
    last: dict[str, Counts] = field(default_factory=dict)
    """By the pod's uid."""
    seen: list[Counts] = field(default_factory=list)


class Watch:
    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._watched: dict[Key, _Watched] = {}

    def controller(self) -> Controller:
        return Controller(
            "rollbacks",
            INFERENCE_SERVICE,
            self._reconcile,
            watches=((DEPLOYMENT, controller.owner(INFERENCE_SERVICE)),),
            reads=(POD,),
        )

    async def _reconcile(self, world: World, namespace: str, name: str) -> float | None:
        isvc = world.mirror(INFERENCE_SERVICE).get(namespace, name)
        text = meta.annotations(isvc).get(bounds.ANNOTATION) if isvc else None
        if isvc is None or not text:
            return None
        try:
            limits = bounds.read(text)
        except ValueError:
            return None  # the service's own controller says so
        canaries = [one for one in world.mirror(DEPLOYMENT).owned(isvc) if _is_tried(one)]
        for canary in canaries:
            seen = await self._measured(canary, _pods(world, canary))
            if why := bounds.broken(limits, seen):
                await _take_back(world, isvc, canary, why)
        return _EVERY if canaries else None

    async def _measured(self, canary: Object, pods: Iterable[Object]) -> Counts:
        """What it answered lately."""
        key = meta.key(canary)
        watched = self._watched.get(key)
        if watched is None or watched.version != version(canary):
            watched = self._watched[key] = _Watched(version(canary))
        new = Counts()
        for where in map(place, answering(pods)):
            try:
                found = bounds.counts(await self._stats.page(where))
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                continue
            new = new.plus(found.since(watched.last.get(where.uid, Counts())))
            watched.last[where.uid] = found
        watched.seen = [*watched.seen[1 - _MEMORY :], new]
        total = Counts()
        for one in watched.seen:
            total = total.plus(one)
        return total


def _is_tried(deployment: Object) -> bool:
    said = meta.annotations(deployment)
    return said.get(STAGE) == CANARY and not said.get(ROLLED_BACK) and not meta.being_deleted(deployment)


def _pods(world: World, deployment: Object) -> list[Object]:
    selector = deployment["spec"]["selector"]["matchLabels"]
    pods = world.mirror(POD).all(meta.namespace(deployment))
    return [pod for pod in pods if selector.items() <= meta.labels(pod).items()]


async def _take_back(world: World, isvc: Object, canary: Object, why: str) -> None:
    patch = {
        "metadata": {
            "annotations": {ROLLED_BACK: why},
            "resourceVersion": canary["metadata"]["resourceVersion"],  # that very version, and no newer one
        }
    }
    await world.client.patch(DEPLOYMENT, meta.name(canary), meta.namespace(canary), patch)
    text = f"{meta.name(canary)} gets no more requests: {why}"
    await events.record(world.client, world.clock, isvc, "RolledBack", text, type="Warning", component="serving")
