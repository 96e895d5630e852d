"""StatefulSet: pods with names and claims of their own. Reads it, lets `stateful_render` decide, applies."""

from __future__ import annotations

import asyncio

from fairway.cluster.workloads import revisions, stateful_render
from fairway.cluster.workloads.stateful_render import Decision
from fairway.kernel.control import controller as control
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Object

_OWNER = control.owner(STATEFUL_SET)


def controller() -> Controller:
    return Controller("statefulsets", STATEFUL_SET, reconcile, watches=((POD, _OWNER), (CONTROLLER_REVISION, _OWNER)))


async def reconcile(world: World, namespace: str, name: str) -> float | None:
    obj = world.mirror(STATEFUL_SET).get(namespace, name)
    if obj is None or meta.being_deleted(obj):
        return None
    update = await revisions.ensure(world, obj)
    owned = world.mirror(POD).owned(obj)
    known = world.mirror(CONTROLLER_REVISION).owned(obj)
    decision = stateful_render.decide(obj, owned, known, update, world.clock.now())
    await _apply(world, obj, decision)
    used = {update, decision.status["currentRevision"], *(meta.labels(pod).get(revisions.HASH, "") for pod in owned)}
    await revisions.forget(world, obj, used)
    return decision.again


async def _apply(world: World, obj: Object, decision: Decision) -> None:
    said = obj.get("status") or {}
    if any(said.get(field) != value for field, value in decision.status.items()):
        await world.client.patch_status(STATEFUL_SET, meta.name(obj), meta.namespace(obj), decision.status)
    for claim in decision.claims:
        await _claim(world, obj, claim)
    await asyncio.gather(
        *(_create(world, obj, pod) for pod in decision.create),
        *(_delete(world, obj, pod) for pod in decision.delete),
    )
    for name in decision.release:
        await world.client.delete(PERSISTENT_VOLUME_CLAIM, name, meta.namespace(obj))


async def _claim(world: World, obj: Object, claim: Object) -> None:
    try:
        await world.client.create(PERSISTENT_VOLUME_CLAIM, claim)
    except errors.AlreadyExists:
        return  # a claim outlives its pod: that is what it is for
    except errors.ApiError as failure:
        text = f"create Claim {meta.name(claim)} failed error: {failure.message}"
        await _say(world, obj, "FailedCreate", text, type_="Warning")
        raise
    await _say(world, obj, "SuccessfulCreate", f"create Claim {meta.name(claim)} success")


async def _create(world: World, obj: Object, pod: Object) -> None:
    try:
        await world.client.create(POD, pod)
    except errors.AlreadyExists:
        return  # made before, and the mirror does not show it yet; or it is a stranger's, and we wait until it goes
    except errors.ApiError as failure:
        text = f"create Pod {meta.name(pod)} in StatefulSet {meta.name(obj)} failed error: {failure.message}"
        await _say(world, obj, "FailedCreate", text, type_="Warning")
        raise
    text = f"create Pod {meta.name(pod)} in StatefulSet {meta.name(obj)} successful"
    await _say(world, obj, "SuccessfulCreate", text)


async def _delete(world: World, obj: Object, pod: Object) -> None:
    if await world.client.delete(POD, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod)):
        text = f"delete Pod {meta.name(pod)} in StatefulSet {meta.name(obj)} successful"
        await _say(world, obj, "SuccessfulDelete", text)


async def _say(world: World, obj: Object, reason: str, message: str, *, type_: str = "Normal") -> None:
    await events.record(world.client, world.clock, obj, reason, message, type=type_, component="statefulset-controller")
