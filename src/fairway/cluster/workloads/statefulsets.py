"""StatefulSet: pods with names and claims of their own. Reads it, lets `stateful_render` decide, applies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fairway.cluster.workloads import revisions, stateful_claims, stateful_render
from fairway.cluster.workloads.adoption import Orphans
from fairway.cluster.workloads.stateful_render import Decision
from fairway.kernel.control import controller as control
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET, Object


def controller() -> Controller:
    orphans = Orphans(STATEFUL_SET, lambda obj, pod: stateful_render.ordinal_of(obj, pod) is not None)
    return Controller(
        "statefulsets",
        STATEFUL_SET,
        _reconciler(orphans),
        watches=((POD, orphans.concerned), (CONTROLLER_REVISION, control.owner(STATEFUL_SET))),
        reads=(PERSISTENT_VOLUME_CLAIM,),
    )


def _reconciler(orphans: Orphans) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        obj = world.mirror(STATEFUL_SET).get(namespace, name)
        if obj is None or meta.being_deleted(obj):
            orphans.forget(namespace, name)
            return None
        update = await revisions.ensure(world, obj)
        owned = await orphans.all_held(world, obj)
        known = world.mirror(CONTROLLER_REVISION).owned(obj)
        decision = stateful_render.decide(obj, owned, known, update, world.clock.now())
        await _give_claims(world, obj, owned)
        await _apply(world, obj, decision)
        used = {update, decision.status["currentRevision"]}
        await revisions.forget(world, obj, used | {meta.labels(pod).get(revisions.HASH, "") for pod in owned})
        return decision.again

    return reconcile


async def _give_claims(world: World, obj: Object, owned: Iterable[Object]) -> None:
    """Each claim to whom it should be, before any pod goes."""
    namespace, claims = meta.namespace(obj), world.mirror(PERSISTENT_VOLUME_CLAIM)
    for pod in owned:
        for name in stateful_claims.names(obj, meta.name(pod)):
            claim = claims.get(namespace, name)
            if claim is None or meta.being_deleted(claim):
                continue
            owners = stateful_claims.owners(obj, pod, claim, leaving=not stateful_render.wants(obj, pod))
            if owners is not None:
                changed = {"ownerReferences": owners or None, "resourceVersion": claim["metadata"]["resourceVersion"]}
                await world.client.patch(PERSISTENT_VOLUME_CLAIM, name, namespace, {"metadata": changed})


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
        await _wait_for_stranger(world, obj, meta.name(pod))
    except errors.ApiError as failure:
        text = f"create Pod {meta.name(pod)} in StatefulSet {meta.name(obj)} failed error: {failure.message}"
        await _say(world, obj, "FailedCreate", text, type_="Warning")
        raise
    text = f"create Pod {meta.name(pod)} in StatefulSet {meta.name(obj)} successful"
    await _say(world, obj, "SuccessfulCreate", text)


async def _wait_for_stranger(world: World, obj: Object, name: str) -> None:
    """The pod was made before, and the mirror does not show it yet; or it is a stranger's, whose end nobody tells."""
    found = await world.client.find(POD, name, meta.namespace(obj))
    if found is None or not meta.owned_by(found, obj):
        text = f"create Pod {name} in StatefulSet {meta.name(obj)} failed error: pods {name!r} already exists"
        await _say(world, obj, "FailedCreate", text, type_="Warning")
        raise errors.AlreadyExists(text)


async def _delete(world: World, obj: Object, pod: Object) -> None:
    if await world.client.delete(POD, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod)):
        text = f"delete Pod {meta.name(pod)} in StatefulSet {meta.name(obj)} successful"
        await _say(world, obj, "SuccessfulDelete", text)


async def _say(world: World, obj: Object, reason: str, message: str, *, type_: str = "Normal") -> None:
    await events.record(world.client, world.clock, obj, reason, message, type=type_, component="statefulset-controller")
