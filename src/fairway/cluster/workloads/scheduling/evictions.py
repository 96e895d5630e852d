"""Taints with effect NoExecute: pods that do not tolerate them leave, at once or after their tolerationSeconds.

Reads a node and its pods; `delay` decides, pure. A node without such a taint costs a look at it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.scheduling import nodes
from fairway.kernel import clock
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import NODE, POD, Object
from fairway.kernel.objects.meta import Key

_NAME = "taint-eviction-controller"


def controller() -> Controller:
    return Controller("evictions", NODE, _reconcile, watches=((POD, _node_of),))


def delay(pod: Object, taints: Iterable[Object], now: float) -> float | None:
    """Seconds until the pod has to go; None where it may stay."""
    waits: list[float] = []
    for taint in taints:
        fitting = [each for each in pod["spec"].get("tolerations") or () if nodes.tolerates(each, taint)]
        if not fitting:
            return 0.0
        limits = [float(each["tolerationSeconds"]) for each in fitting if each.get("tolerationSeconds") is not None]
        if limits:
            since = clock.parse(taint["timeAdded"]) if taint.get("timeAdded") else _bound(pod)
            waits.append(max(0.0, since + max(0.0, min(limits)) - now))
    return min(waits, default=None)


async def _reconcile(world: World, namespace: str, name: str) -> float | None:
    node = world.mirror(NODE).get("", name)
    said = ((node or {}).get("spec") or {}).get("taints") or ()
    taints = [each for each in said if each.get("effect") == "NoExecute"]
    if not taints:
        return None
    waits = []
    for pod in world.mirror(POD).all():
        if pods.node_name(pod) != name or not pods.active(pod):
            continue
        wait = delay(pod, taints, world.clock.now())
        if wait is not None and wait > 0:
            waits.append(wait)
        elif wait is not None:
            await _evict(world, pod)
    return min(waits, default=None)


async def _evict(world: World, pod: Object) -> None:
    name, namespace = meta.name(pod), meta.namespace(pod)
    text = f"Marking for deletion Pod {namespace}/{name}"
    await events.record(world.client, world.clock, pod, "TaintManagerEviction", text, component=_NAME)
    why = ("DisruptionTarget", True, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    said = (pod.get("status") or {}).get("conditions")
    marked = conditions.merged(said, clock.timestamp(world.clock.now()), why)
    guarded = {"metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]}, "status": {"conditions": marked}}
    await world.client.patch(POD, name, namespace, guarded, subresource="status")
    await world.client.delete(POD, name, namespace, uid=meta.uid(pod))


def _node_of(pod: Object) -> Iterable[Key]:
    if node := pods.node_name(pod):
        yield "", node


def _bound(pod: Object) -> float:
    scheduled = conditions.find(pod, "PodScheduled") or {}
    since = scheduled.get("lastTransitionTime") or pod["metadata"].get("creationTimestamp")
    return clock.parse(since) if since else 0.0
