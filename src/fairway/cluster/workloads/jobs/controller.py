"""Job: pods that run to completion. Reads the Job and its pods, lets `render` decide, applies.

The status is written first, and only if the Job is still the one that was read: what the status promises
(which pods are being counted) must be stored before a pod is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fairway.cluster.workloads.jobs import counting, render
from fairway.cluster.workloads.jobs.render import Decision
from fairway.kernel.control import controller as control
from fairway.kernel.control import events, finalizers
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import JOB, POD, Object
from fairway.kernel.objects.meta import Key

_OURS = "kubernetes.io/job-controller"
_JOB_NAME, _JOB_UID = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"


def controller(retry_delay: float) -> Controller:
    tracked = _Tracked()
    return Controller("jobs", JOB, _reconciler(retry_delay, tracked), watches=((POD, tracked.concerned),))


class _Tracked:
    """The pods that wait to be counted, by the name of the Job that they are of, or were."""

    def __init__(self) -> None:
        self._owner = control.owner(JOB)
        self._pods: dict[Key, set[str]] = {}

    def concerned(self, pod: Object) -> Iterable[Key]:
        tracked = counting.tracked(pod)
        keys = list(self._owner(pod))
        if tracked and meta.controller_of(pod) is None and (name := meta.labels(pod).get(_JOB_NAME)):
            keys = [(meta.namespace(pod), name)]
        for key in keys:
            if tracked:
                self._pods.setdefault(key, set()).add(meta.name(pod))
            else:
                self._forget(key, meta.name(pod))
        return keys

    def of(self, world: World, namespace: str, name: str) -> list[Object]:
        found = []
        for pod_name in list(self._pods.get((namespace, name), ())):
            pod = world.mirror(POD).get(namespace, pod_name)
            if pod is not None and counting.tracked(pod):
                found.append(pod)
            else:
                self._forget((namespace, name), pod_name)
        return found

    def _forget(self, key: Key, pod: str) -> None:
        if pods := self._pods.get(key):
            pods.discard(pod)
            if not pods:
                del self._pods[key]


def _reconciler(retry_delay: float, tracked: _Tracked) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        job = world.mirror(JOB).get(namespace, name)
        await _let_go(world, tracked.of(world, namespace, name), name, job)
        if job is None or meta.being_deleted(job):
            return None
        if job["spec"].get("managedBy") not in (None, _OURS):
            return None
        owned = [pod for pod in world.mirror(POD).owned(job) if meta.controlled_by(pod, job)]
        decision = render.decide(job, owned, world.clock.now(), retry_delay)
        return await _apply(world, job, decision)

    return reconcile


async def _apply(world: World, job: Object, decision: Decision) -> float | None:
    name, namespace = meta.name(job), meta.namespace(job)
    if decision.remove:
        await world.client.delete(JOB, name, namespace, uid=meta.uid(job), propagation="Foreground")
        return None
    if patch := _difference(job.get("status") or {}, decision.status):
        guarded = {"metadata": {"resourceVersion": job["metadata"]["resourceVersion"]}, "status": patch}
        await world.client.patch(JOB, name, namespace, guarded, subresource="status")
        await _tell(world, job, decision)
    await asyncio.gather(
        *(finalizers.remove(world.client, POD, pod, counting.TRACKING) for pod in decision.release),
        *(_delete(world, job, pod) for pod in decision.delete),
        *(_create(world, job, pod) for pod in decision.create),
    )
    return decision.again


async def _create(world: World, job: Object, pod: Object) -> None:
    try:
        await world.client.create(POD, pod)
    except errors.AlreadyExists:
        return  # made before, and the mirror does not show it yet: it will
    except errors.ApiError as failure:
        await _say(world, job, "FailedCreate", f"Error creating: {failure.message}", type_="Warning")
        raise
    await _say(world, job, "SuccessfulCreate", f"Created pod: {meta.name(pod)}")


async def _delete(world: World, job: Object, pod: Object) -> None:
    if await world.client.delete(POD, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod)):
        await _say(world, job, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")


async def _let_go(world: World, pods: Iterable[Object], name: str, job: Object | None) -> None:
    """Of those whose Job is gone, going or another one by now nobody will count a pod, so nothing may hold them."""
    for pod in pods:
        if _orphaned(pod, job) or _going_with(pod, name, job):
            await finalizers.remove(world.client, POD, pod, counting.TRACKING)


def _orphaned(pod: Object, job: Object | None) -> bool:
    if meta.controller_of(pod) is not None:
        return False
    return job is None or meta.being_deleted(job) or meta.labels(pod).get(_JOB_UID) != meta.uid(job)


def _going_with(pod: Object, name: str, job: Object | None) -> bool:
    owner = meta.controller_of(pod)
    if owner is None or (owner["kind"], owner["name"]) != ("Job", name):
        return False
    if job is None or owner["uid"] != meta.uid(job):
        return True
    return meta.being_deleted(job) and meta.being_deleted(pod)


async def _tell(world: World, job: Object, decision: Decision) -> None:
    known = {item["type"] for item in (job.get("status") or {}).get("conditions") or ()}
    for item in decision.status.get("conditions") or ():
        if item["type"] in known or item["status"] != "True":
            continue
        if item["type"] == "Complete":
            await _say(world, job, "Completed", "Job completed")
        elif item["type"] == "Failed":
            await _say(world, job, item["reason"], item["message"], type_="Warning")
        elif item["type"] == "Suspended":
            await _say(world, job, "Suspended", "Job suspended")


async def _say(world: World, job: Object, reason: str, message: str, *, type_: str = "Normal") -> None:
    await events.record(world.client, world.clock, job, reason, message, type=type_, component="job-controller")


def _difference(said: Object, wanted: Object) -> Object:
    """The fields of `wanted` that are not as they are; None and an absent field are the same."""

    def same(before: object, after: object) -> bool:
        if isinstance(after, dict):
            old = before if isinstance(before, dict) else {}
            return all(same(old.get(key), value) for key, value in after.items())
        return before == after

    return {field: value for field, value in wanted.items() if not same(said.get(field), value)}
