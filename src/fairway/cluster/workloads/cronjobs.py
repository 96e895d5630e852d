"""CronJob: a Job at each slot of a schedule. Reads it and its Jobs, lets `cron_render` decide, applies.

The Job is created before the status says that its slot is done: a crash between the two meets the Job's name again.
"""

from __future__ import annotations

from fairway.cluster.workloads import cron_render
from fairway.cluster.workloads.cron_render import Decision, Said
from fairway.kernel.control import controller as control
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CRON_JOB, JOB, Object


def controller() -> Controller:
    return Controller("cronjobs", CRON_JOB, reconcile, watches=((JOB, control.owner(CRON_JOB)),))


async def reconcile(world: World, namespace: str, name: str) -> float | None:
    cron_job = world.mirror(CRON_JOB).get(namespace, name)
    if cron_job is None or meta.being_deleted(cron_job):
        return None
    decision = cron_render.decide(cron_job, world.mirror(JOB).owned(cron_job), world.clock.now())
    await _apply(world, cron_job, decision)
    return decision.again


async def _apply(world: World, cron_job: Object, decision: Decision) -> None:
    for job in decision.delete:
        if await world.client.delete(
            JOB, meta.name(job), meta.namespace(job), uid=meta.uid(job), propagation="Background"
        ):
            await _say(world, cron_job, Said("SuccessfulDelete", f"Deleted job {meta.name(job)}"))
    if decision.create is not None:
        await _create(world, cron_job, decision.create)
    if decision.complaint is not None:
        await _say(world, cron_job, decision.complaint)
    said = cron_job.get("status") or {}
    if any(said.get(field) != value for field, value in decision.status.items()):
        guarded = {"metadata": {"resourceVersion": cron_job["metadata"]["resourceVersion"]}, "status": decision.status}
        await world.client.patch(CRON_JOB, meta.name(cron_job), meta.namespace(cron_job), guarded, subresource="status")
        for each in decision.said:
            await _say(world, cron_job, each)


async def _create(world: World, cron_job: Object, job: Object) -> None:
    try:
        await world.client.create(JOB, job)
    except errors.AlreadyExists:
        return  # made before a crash, or by hand
    except errors.ApiError as failure:
        await _say(world, cron_job, Said("FailedCreate", f"Error creating job: {failure.message}", "Warning"))
        raise
    await _say(world, cron_job, Said("SuccessfulCreate", f"Created job {meta.name(job)}"))


async def _say(world: World, cron_job: Object, said: Said) -> None:
    await events.record(
        world.client, world.clock, cron_job, said.reason, said.message, type=said.type, component="cronjob-controller"
    )
