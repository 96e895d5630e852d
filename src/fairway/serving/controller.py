"""Reconciles InferenceServices: reads one and its children, asks `reading`, `render` and `status`, applies. Thin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, controller, events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import conditions, errors, meta, patching
from fairway.kernel.objects.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    HTTP_ROUTE,
    NODE,
    POD,
    SERVICE,
    Kind,
    Object,
)
from fairway.kernel.objects.meta import Key
from fairway.serving import surroundings
from fairway.serving.caches.kinds import LOCAL_MODEL_CACHE, LOCAL_MODEL_NAMESPACE_CACHE
from fairway.serving.kinds import INFERENCE_SERVICE, SERVICE_LABEL
from fairway.serving.render import marks
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.rollout import describing, devices, planning
from fairway.serving.rollout import rendering as rollout
from fairway.serving.rollout.arrangement import ROLLED_BACK
from fairway.serving.runtimes.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME
from fairway.serving.scaling import contract as contracts
from fairway.serving.spec import steering
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status import judging
from fairway.serving.status.seen import Seen
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER


def build(place: Place) -> Controller:
    owner = controller.owner(INFERENCE_SERVICE)
    known: set[Key] = set()
    """The services there are: what changes in the cluster may be for any of them."""
    return Controller(
        name="inferenceservices",
        kind=INFERENCE_SERVICE,
        reconcile=_reconciler(place, known),
        watches=(
            (DEPLOYMENT, owner),
            (SERVICE, owner),
            (HTTP_ROUTE, owner),
            (HORIZONTAL_POD_AUTOSCALER, owner),
            (POD, _service_of_pod),
            (SERVING_RUNTIME, _services_near(known)),
            (CLUSTER_SERVING_RUNTIME, _services_near(known)),
            (CLUSTER_STORAGE_CONTAINER, _services_near(known)),
            (LOCAL_MODEL_NAMESPACE_CACHE, _services_near(known)),
            (LOCAL_MODEL_CACHE, _services_near(known)),
        ),
        reads=(NODE,),
    )


def _service_of_pod(pod: Object) -> Iterable[Key]:
    name = meta.labels(pod).get(SERVICE_LABEL)
    if name:
        yield meta.namespace(pod), name


def _services_near(known: set[Key]) -> Callable[[Object], Iterable[Key]]:
    """Those of the object's namespace, or all where it has none."""

    def near(obj: Object) -> Iterable[Key]:
        namespace = meta.namespace(obj)
        return [key for key in known if namespace in ("", key[0])]

    return near


def _reconciler(place: Place, known: set[Key]) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> float | None:
        isvc = world.mirror(INFERENCE_SERVICE).get(namespace, name)
        if isvc is None or meta.being_deleted(isvc):
            known.discard((namespace, name))
            return None  # the children have an owner, and go with it
        known.add((namespace, name))
        now = timestamp(world.clock.now())
        seen = _seen(world, isvc)
        if steering.stopped(isvc):
            await _apply(world, isvc, Children())
            await _tell(world, isvc, judging.of_stopped(isvc, now))
            return None
        try:
            around = await surroundings.gather(world, isvc, place)
            arrangement = planning.plan(isvc, around, seen.deployments, world.clock.now())
        except (NotSupported, errors.BadRequest) as wrong:  # the latter of lists that cannot be laid over each other
            told = wrong if isinstance(wrong, NotSupported) else NotSupported("InvalidPredictorSpec", [str(wrong)])
            await _tell(world, isvc, judging.of_refused(isvc, told, seen, now))
            return None
        services = world.mirror(SERVICE).owned(isvc)
        wanted = rollout.children(isvc, arrangement, place, seen, services)
        wanted, tight = devices.fitted(wanted, seen.deployments, world.mirror(NODE).all(), world.mirror(POD).all())
        arrangement = replace(arrangement, conditions=(*arrangement.conditions, *tight))
        if steering.keeps_its_version(isvc) and judging.up_to_date(isvc.get("status") or {}, of=isvc):
            wanted = _as_it_is(wanted, seen)
        try:
            await _apply(world, isvc, rollout.not_yet_gone(wanted, seen, services))
        except errors.Invalid as wrong:  # what only the API can check, such as a quantity or a volume's name
            told = NotSupported("InvalidPredictorSpec", [str(wrong)])
            await _tell(world, isvc, judging.of_refused(isvc, told, seen, now))
            return None
        judged = describing.status(isvc, arrangement, wanted, seen, place, now)
        if judging.up_to_date(judged) and not judging.up_to_date(isvc.get("status") or {}, of=isvc):
            seen = await _newest(world, wanted, seen)
            judged = describing.status(isvc, arrangement, wanted, seen, place, now)
        await _tell(world, isvc, judged)
        return arrangement.again

    return reconcile


def _as_it_is(wanted: Children, seen: Seen) -> Children:
    """The Deployments that are there, in the place of those that a changed runtime would make."""
    return replace(wanted, deployments=tuple(seen.deployments.get(meta.name(one), one) for one in wanted.deployments))


def _seen(world: World, isvc: Object) -> Seen:
    namespace, name = meta.key(isvc)
    pods = [pod for pod in world.mirror(POD).all(namespace) if meta.labels(pod).get(SERVICE_LABEL) == name]
    return Seen(
        deployments={meta.name(one): one for one in world.mirror(DEPLOYMENT).owned(isvc)},
        routes=tuple(world.mirror(HTTP_ROUTE).owned(isvc)),
        pods=tuple(sorted(pods, key=meta.name)),
    )


async def _newest(world: World, wanted: Children, seen: Seen) -> Seen:
    """The children from the API itself: a mirror may not show our own last write yet, and promise what is past."""

    async def read(kind: Kind, objects: Iterable[Object]) -> list[Object]:
        found = [await world.client.find(kind, meta.name(obj), meta.namespace(obj)) for obj in objects]
        return [one for one in found if one is not None]

    deployments = {meta.name(one): one for one in await read(DEPLOYMENT, wanted.deployments)}
    return Seen(deployments, tuple(await read(HTTP_ROUTE, wanted.routes)), seen.pods)


async def _apply(world: World, isvc: Object, wanted: Children) -> None:
    for kind, desired in ((SERVICE, wanted.services), (HTTP_ROUTE, wanted.routes)):
        await children.apply(world.client, kind, isvc, desired, world.mirror(kind).owned(isvc))
    observed = {meta.key(one): one for one in world.mirror(DEPLOYMENT).owned(isvc)}
    for deployment in wanted.deployments:
        current = observed.get(meta.key(deployment))
        if current and marks.digest(current) != marks.digest(deployment):
            observed[meta.key(deployment)] = await world.client.update(DEPLOYMENT, _replaced(current, deployment))
    deployments = [contracts.scaled(one, observed.get(meta.key(one))) for one in wanted.deployments]
    await children.apply(world.client, DEPLOYMENT, isvc, deployments, observed.values())
    scalers = world.mirror(HORIZONTAL_POD_AUTOSCALER).owned(isvc)
    await children.apply(world.client, HORIZONTAL_POD_AUTOSCALER, isvc, wanted.scalers, scalers)


def _replaced(current: Object, wanted: Object) -> Object:
    """A new version as a whole, so that fields which the user took away go; a merge would keep them."""
    metadata = current["metadata"]
    annotations = {**meta.annotations(current), **meta.annotations(wanted)}
    annotations.pop(ROLLED_BACK, None)  # that was of the version before
    labels = {**meta.labels(current), **meta.labels(wanted)}
    whole = contracts.scaled(wanted, current, awake=True)
    return {**whole, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


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
