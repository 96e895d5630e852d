"""Reconciles TrainedModels: keeps the ConfigMap of their service true to them, and says what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import conditions, meta, patching
from fairway.kernel.objects.kinds import CONFIG_MAP, POD, Object
from fairway.kernel.objects.meta import Key
from fairway.serving.kinds import INFERENCE_SERVICE, SERVICE_LABEL
from fairway.serving.models import trained
from fairway.serving.models.kinds import CONFIG_LABEL, TRAINED_MODEL, config_name
from fairway.serving.models.trained import Around
from fairway.serving.render.place import Place


def build(place: Place) -> Controller:
    known: dict[Key, str] = {}
    """Each model's service: what happens to that may be news for the model, and for the others when it goes."""
    return Controller(
        name="trainedmodels",
        kind=TRAINED_MODEL,
        reconcile=_reconciler(place, known),
        watches=((INFERENCE_SERVICE, _models_of(known)), (POD, _models_of_pod(known))),
        workers=1,  # the models of a service share one object
    )


def _models_of(known: dict[Key, str]) -> Callable[[Object], Iterable[Key]]:
    return lambda isvc: [key for key, service in known.items() if (key[0], service) == meta.key(isvc)]


def _models_of_pod(known: dict[Key, str]) -> Callable[[Object], Iterable[Key]]:
    def of_pod(pod: Object) -> Iterable[Key]:
        name = meta.labels(pod).get(SERVICE_LABEL)
        return [key for key, service in known.items() if key[0] == meta.namespace(pod) and service == name]

    return of_pod


def _reconciler(place: Place, known: dict[Key, str]) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> None:
        model = world.mirror(TRAINED_MODEL).get(namespace, name)
        gone = model is None or meta.being_deleted(model)
        before = known.pop((namespace, name), None)
        if not gone and model is not None:
            known[(namespace, name)] = model["spec"]["inferenceService"]
        for service in {before, known.get((namespace, name))} - {None}:
            await _configure(world, namespace, str(service), place)
        if not gone and model is not None:
            await _tell(world, model, place)

    return reconcile


async def _configure(world: World, namespace: str, service: str, place: Place) -> None:
    isvc = world.mirror(INFERENCE_SERVICE).get(namespace, service)
    if isvc is None or meta.being_deleted(isvc):
        return  # the ConfigMap has an owner, and goes with it
    wanted = trained.config(
        namespace, service, trained.admitted(isvc, _siblings(world, namespace, service), place.mirrors)
    )
    found = await world.client.find(CONFIG_MAP, config_name(service), namespace)
    mine = [found] if found and meta.labels(found).get(CONFIG_LABEL) == service else []
    await children.apply(world.client, CONFIG_MAP, isvc, [wanted], mine)


async def _tell(world: World, model: Object, place: Place) -> None:
    namespace, service = meta.namespace(model), model["spec"]["inferenceService"]
    pods = [pod for pod in world.mirror(POD).all(namespace) if meta.labels(pod).get(SERVICE_LABEL) == service]
    around = Around(
        service=world.mirror(INFERENCE_SERVICE).get(namespace, service),
        siblings=_siblings(world, namespace, service),
        pods=frozenset(meta.name(pod) for pod in pods if conditions.is_true(pod, "Ready")),
        coming=frozenset(meta.name(pod) for pod in pods if not conditions.is_true(pod, "Ready")),
        mirrors=place.mirrors,
    )
    new = trained.status(model, around, timestamp(world.clock.now()))
    changes = patching.diff(model.get("status") or {}, new)
    if not changes:
        return
    patch = {"metadata": {"resourceVersion": model["metadata"]["resourceVersion"]}, "status": changes}
    await world.client.patch(TRAINED_MODEL, meta.name(model), namespace, patch, subresource="status")
    if conditions.is_true({"status": new}, "Ready") and not conditions.is_true(model, "Ready"):
        text = f"TrainedModel {meta.name(model)} is ready at {new.get('url')}"
        await events.record(world.client, world.clock, model, "TrainedModelReady", text, component="serving")


def _siblings(world: World, namespace: str, service: str) -> list[Object]:
    """The oldest first: a model that is served is not put out by a newer one."""
    found = [
        one
        for one in world.mirror(TRAINED_MODEL).all(namespace)
        if one["spec"]["inferenceService"] == service and not meta.being_deleted(one)
    ]
    return sorted(found, key=lambda one: (one["metadata"].get("creationTimestamp") or "", meta.name(one)))
