"""DaemonSet: one pod on each node that it may run on. Reads it, its pods and the nodes, lets `daemon_render` decide."""

from __future__ import annotations

import asyncio
import itertools

from fairway.cluster.workloads import daemon_render, pods, revisions
from fairway.cluster.workloads.adoption import Orphans
from fairway.kernel.control import controller as control
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta, names
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, DAEMON_SET, NODE, POD, Object


def controller() -> Controller:
    orphans = Orphans(DAEMON_SET, lambda obj, pod: bool(pods.node_name(pod)))

    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        obj = world.mirror(DAEMON_SET).get(namespace, name)
        if obj is None or meta.being_deleted(obj):
            orphans.forget(namespace, name)
            return None
        return await _keep(world, obj, await orphans.all_held(world, obj))

    watches = ((POD, orphans.concerned), (CONTROLLER_REVISION, control.owner(DAEMON_SET)))
    return Controller("daemonsets", DAEMON_SET, reconcile, watches=watches, shared=(NODE,))


async def _keep(world: World, obj: Object, owned: list[Object]) -> float | None:
    name, namespace = meta.name(obj), meta.namespace(obj)
    update = await revisions.ensure(world, obj)
    decision = daemon_render.decide(obj, owned, world.mirror(NODE).all(), update, world.clock.now())
    said = obj.get("status") or {}
    if any(said.get(field) != value for field, value in decision.status.items()):
        await world.client.patch_status(DAEMON_SET, name, namespace, decision.status)
    await asyncio.gather(
        *(_create(world, obj, node, update) for node in decision.create),
        *(_delete(world, obj, pod) for pod in decision.delete),
    )
    await revisions.forget(world, obj, {update, *(meta.labels(pod).get(revisions.HASH, "") for pod in owned)})
    return decision.again


async def _create(world: World, obj: Object, node: str, update: str) -> None:
    mirror, namespace = world.mirror(POD), meta.namespace(obj)
    slots = (names.child(meta.name(obj), pods.slug(meta.uid(obj), node, slot)) for slot in itertools.count())
    name = next(name for name in slots if mirror.get(namespace, name) is None)
    try:
        await world.client.create(POD, daemon_render.pod(obj, name, node, update))
    except errors.AlreadyExists:
        return  # made before, and the mirror does not show it yet
    except errors.ApiError as failure:
        await _say(world, obj, "FailedCreate", f"Error creating: {failure.message}", type_="Warning")
        raise
    await _say(world, obj, "SuccessfulCreate", f"Created pod: {name}")


async def _delete(world: World, obj: Object, pod: Object) -> None:
    if await world.client.delete(POD, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod)):
        await _say(world, obj, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")


async def _say(world: World, obj: Object, reason: str, message: str, *, type_: str = "Normal") -> None:
    await events.record(world.client, world.clock, obj, reason, message, type=type_, component="daemonset-controller")
