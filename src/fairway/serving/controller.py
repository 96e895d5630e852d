"""Reconciles InferenceServices: reads one and its children, asks `spec`, `render` and `status`, applies. Thin."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, controller, events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import conditions, meta, patching
from fairway.kernel.objects.kinds import DEPLOYMENT, HTTP_ROUTE, POD, SERVICE, Kind, Object
from fairway.kernel.objects.meta import Key
from fairway.serving import render, spec, status
from fairway.serving.kinds import INFERENCE_SERVICE, SERVICE_LABEL
from fairway.serving.render import Children, Place
from fairway.serving.status import Seen


def build(place: Place) -> Controller:
    owner = controller.owner(INFERENCE_SERVICE)
    return Controller(
        name="inferenceservices",
        kind=INFERENCE_SERVICE,
        reconcile=_reconciler(place),
        watches=((DEPLOYMENT, owner), (SERVICE, owner), (HTTP_ROUTE, owner), (POD, _service_of_pod)),
    )


def _service_of_pod(pod: Object) -> Iterable[Key]:
    name = meta.labels(pod).get(SERVICE_LABEL)
    if name:
        yield meta.namespace(pod), name


def _reconciler(place: Place) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> None:
        isvc = world.mirror(INFERENCE_SERVICE).get(namespace, name)
        if isvc is None or meta.being_deleted(isvc):
            return  # the children have an owner, and go with it
        now = timestamp(world.clock.now())
        seen = _seen(world, isvc)
        if spec.stopped(isvc):
            await _apply(world, isvc, Children())
            await _tell(world, isvc, status.of_stopped(isvc, now))
            return
        try:
            predictor = spec.read(isvc)
        except spec.NotSupported as refusal:
            await _tell(world, isvc, status.of_refused(isvc, refusal, seen, now))
            return
        wanted = render.children(isvc, predictor, place)
        await _apply(world, isvc, wanted)
        judged = status.of_running(isvc, predictor, wanted, seen, place, now)
        if status.up_to_date(judged) and not status.up_to_date(isvc.get("status") or {}, of=isvc):
            seen = await _newest(world, wanted, seen)
            judged = status.of_running(isvc, predictor, wanted, seen, place, now)
        await _tell(world, isvc, judged)

    return reconcile


def _seen(world: World, isvc: Object) -> Seen:
    namespace, name = meta.key(isvc)
    pods = [pod for pod in world.mirror(POD).all(namespace) if meta.labels(pod).get(SERVICE_LABEL) == name]
    return Seen(
        deployment=next(iter(world.mirror(DEPLOYMENT).owned(isvc)), None),
        routes=tuple(world.mirror(HTTP_ROUTE).owned(isvc)),
        pods=tuple(sorted(pods, key=meta.name)),
    )


async def _newest(world: World, wanted: Children, seen: Seen) -> Seen:
    """The children from the API itself: a mirror may not show our own last write yet, and promise what is past."""

    async def read(kind: Kind, obj: Object) -> Object | None:
        return await world.client.find(kind, meta.name(obj), meta.namespace(obj))

    (deployment,) = wanted.deployments
    routes = [await read(HTTP_ROUTE, route) for route in wanted.routes]
    return Seen(await read(DEPLOYMENT, deployment), tuple(filter(None, routes)), seen.pods)


async def _apply(world: World, isvc: Object, wanted: Children) -> None:
    for kind, desired in ((SERVICE, wanted.services), (HTTP_ROUTE, wanted.routes)):
        await children.apply(world.client, kind, isvc, desired, world.mirror(kind).owned(isvc))
    observed = world.mirror(DEPLOYMENT).owned(isvc)
    for deployment in wanted.deployments:
        for current in observed:
            if meta.key(current) == meta.key(deployment) and render.digest(current) != render.digest(deployment):
                await world.client.update(DEPLOYMENT, _replaced(current, deployment))
                return
    await children.apply(world.client, DEPLOYMENT, isvc, wanted.deployments, observed)


def _replaced(current: Object, wanted: Object) -> Object:
    """A new version as a whole, so that fields which the user took away go; a merge would keep them."""
    metadata = current["metadata"]
    annotations = {**meta.annotations(current), **meta.annotations(wanted)}
    labels = {**meta.labels(current), **meta.labels(wanted)}
    return {**wanted, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


async def _tell(world: World, isvc: Object, new: Object) -> None:
    old = isvc.get("status") or {}
    changes = patching.diff(old, new)
    if not changes:
        return
    # Only onto the status that it was compared with: half of one status and half of another would be a lie.
    patch = {"metadata": {"resourceVersion": isvc["metadata"]["resourceVersion"]}, "status": changes}
    await world.client.patch(INFERENCE_SERVICE, meta.name(isvc), meta.namespace(isvc), patch, subresource="status")
    was, is_ = conditions.is_true(isvc, "Ready"), conditions.is_true({"status": new}, "Ready")
    if was == is_:
        return
    if is_:
        text = f"InferenceService {meta.name(isvc)} is ready at {new['address']['url']}"
        await events.record(world.client, world.clock, isvc, "InferenceServiceReady", text, component="serving")
    elif reason := conditions.find({"status": new}, "Ready"):
        text = str(reason.get("message") or reason.get("reason"))
        name = "InferenceServiceNotReady"
        await events.record(world.client, world.clock, isvc, name, text, type="Warning", component="serving")
