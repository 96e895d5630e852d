"""JobSet: Jobs that belong together. Reads the JobSet and its Jobs, lets `render` decide, applies.

The status is written last, and only if the JobSet is still the one that was read: a restart is nothing but a number
in it, which must not be raised twice for one failure.
"""

from __future__ import annotations

import asyncio

from fairway.cluster.workloads.jobset import children, render
from fairway.cluster.workloads.jobset.render import Decision
from fairway.kernel.control import controller as control
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import JOB, JOB_SET, PERSISTENT_VOLUME_CLAIM, SERVICE, Kind, Object

_OURS = "jobset.sigs.k8s.io/jobset-controller"


def controller() -> Controller:
    owner = control.owner(JOB_SET)
    return Controller(
        "jobsets",
        JOB_SET,
        _reconcile,
        watches=((JOB, owner), (SERVICE, owner)),
        reads=(PERSISTENT_VOLUME_CLAIM,),
    )


async def _reconcile(world: World, namespace: str, name: str) -> float | None:
    jobset = world.mirror(JOB_SET).get(namespace, name)
    if jobset is None or meta.being_deleted(jobset) or jobset["spec"].get("managedBy") not in (None, _OURS):
        return None
    decision = render.decide(jobset, world.mirror(JOB).owned(jobset), world.clock.now())
    if decision.remove:
        await world.client.delete(JOB_SET, name, namespace, uid=meta.uid(jobset), propagation="Foreground")
        return None
    await asyncio.gather(*(_delete(world, job) for job in decision.delete))
    if decision.needs_children:
        await _keep_children(world, jobset)
    await asyncio.gather(
        *(_create(world, JOB, jobset, job, "JobCreationFailed") for job in decision.create),
        *(_suspend(world, job) for job in decision.suspend),
        *(_resume(world, job, patch) for job, patch in decision.resume),
    )
    await _report(world, jobset, decision)
    return decision.again


async def _keep_children(world: World, jobset: Object) -> None:
    service = children.service(jobset)
    if service is not None and world.mirror(SERVICE).get(*meta.key(service)) is None:
        await _create(world, SERVICE, jobset, service, "HeadlessServiceCreationFailed")
    for claim in children.claims(jobset):
        if world.mirror(PERSISTENT_VOLUME_CLAIM).get(*meta.key(claim)) is None:
            await _create(world, PERSISTENT_VOLUME_CLAIM, jobset, claim, "PVCCreationFailed")


async def _create(world: World, kind: Kind, jobset: Object, child: Object, failed: str) -> None:
    try:
        await world.client.create(kind, child)
    except errors.AlreadyExists:
        await _is_ours(world, kind, jobset, child, failed)
    except errors.ApiError as failure:
        text = f"{kind.kind.lower()} {meta.name(child)!r} creation failed with error: {failure.message}"
        await _say(world, jobset, failed, text, type_="Warning")
        raise


async def _is_ours(world: World, kind: Kind, jobset: Object, child: Object, failed: str) -> None:
    """A Job that the mirror does not show yet is no mistake; a Job of somebody else is. The rest may be shared."""
    found = await world.client.find(kind, meta.name(child), meta.namespace(child))
    if kind is JOB and found is not None and not meta.owned_by(found, jobset):
        text = f"job {meta.name(child)!r} exists and belongs to somebody else: delete it, or rename the JobSet"
        await _say(world, jobset, failed, text, type_="Warning")
        raise errors.AlreadyExists(text)


async def _delete(world: World, job: Object) -> None:
    if not meta.being_deleted(job):
        await world.client.delete(JOB, meta.name(job), meta.namespace(job), uid=meta.uid(job), propagation="Foreground")


async def _suspend(world: World, job: Object) -> None:
    await world.client.patch(JOB, meta.name(job), meta.namespace(job), {"spec": {"suspend": True}})


async def _resume(world: World, job: Object, patch: Object) -> None:
    name, namespace = meta.name(job), meta.namespace(job)
    if "template" in patch["spec"] and (job.get("status") or {}).get("startTime"):
        # The template of a Job that has started may not change: it is told that it has not.
        await world.client.patch_status(JOB, name, namespace, {"startTime": None})
    await world.client.patch(JOB, name, namespace, patch)


async def _report(world: World, jobset: Object, decision: Decision) -> None:
    status = decision.report.status
    if status == jobset.get("status"):
        return
    guarded = {"metadata": {"resourceVersion": jobset["metadata"]["resourceVersion"]}, "status": status}
    await world.client.patch(JOB_SET, meta.name(jobset), meta.namespace(jobset), guarded, subresource="status")
    for type_, reason, message in decision.report.events:
        await _say(world, jobset, reason, message, type_=type_)


async def _say(world: World, jobset: Object, reason: str, message: str, *, type_: str = "Normal") -> None:
    await events.record(world.client, world.clock, jobset, reason, message, type=type_, component="jobset-controller")
