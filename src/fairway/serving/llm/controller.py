"""Reconciles LLMInferenceServices: reads one with its configurations, applies its service and route, tells."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, controller, events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import conditions, meta, patching
from fairway.kernel.objects.kinds import HTTP_ROUTE, Object
from fairway.kernel.objects.meta import Key
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.llm import reading, render
from fairway.serving.llm.kinds import LLM_CONFIG, LLM_SERVICE
from fairway.serving.llm.render import Seen
from fairway.serving.render.place import Place
from fairway.serving.spec.refusals import NotSupported

SYSTEM_NAMESPACE = "kserve"
"""Configurations that all namespaces may refer to are here, as upstream has it."""


def build(place: Place) -> Controller:
    known: set[Key] = set()
    owner = controller.owner(LLM_SERVICE)

    def near(config: Object) -> Iterable[Key]:
        namespace = meta.namespace(config)
        return [key for key in known if namespace in (SYSTEM_NAMESPACE, key[0])]

    return Controller(
        name="llminferenceservices",
        kind=LLM_SERVICE,
        reconcile=_reconciler(place, known),
        watches=((INFERENCE_SERVICE, owner), (HTTP_ROUTE, owner), (LLM_CONFIG, near)),
    )


def _reconciler(place: Place, known: set[Key]) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> None:
        llm = world.mirror(LLM_SERVICE).get(namespace, name)
        if llm is None or meta.being_deleted(llm):
            known.discard((namespace, name))
            return  # the children have an owner, and go with it
        known.add((namespace, name))
        now = timestamp(world.clock.now())
        configs = {
            meta.name(one): one for at in (SYSTEM_NAMESPACE, namespace) for one in world.mirror(LLM_CONFIG).all(at)
        }
        try:
            asked = reading.read(llm, configs)
        except NotSupported as refusal:
            await _tell(world, llm, render.refused(llm, refusal, now))
            return
        await _serve(world, llm, render.service(llm, asked))
        await children.apply(world.client, HTTP_ROUTE, llm, [render.route(llm)], world.mirror(HTTP_ROUTE).owned(llm))
        seen = Seen(*(next(iter(world.mirror(kind).owned(llm)), None) for kind in (INFERENCE_SERVICE, HTTP_ROUTE)))
        await _tell(world, llm, render.status(llm, asked, seen, place, now))

    return reconcile


async def _serve(world: World, llm: Object, wanted: Object) -> None:
    """The whole spec: what the user took away goes."""
    found = world.mirror(INFERENCE_SERVICE).owned(llm)
    current = next((one for one in found if meta.key(one) == meta.key(wanted)), None)
    if current is None:
        await children.apply(world.client, INFERENCE_SERVICE, llm, [wanted], found)
    elif changes := patching.diff(current["spec"], wanted["spec"]):
        namespace, name = meta.key(wanted)
        await world.client.patch(INFERENCE_SERVICE, name, namespace, {"spec": changes})


async def _tell(world: World, llm: Object, new: Object) -> None:
    changes = patching.diff(llm.get("status") or {}, new)
    if not changes:
        return
    patch = {"metadata": {"resourceVersion": llm["metadata"]["resourceVersion"]}, "status": changes}
    await world.client.patch(LLM_SERVICE, meta.name(llm), meta.namespace(llm), patch, subresource="status")
    if conditions.is_true({"status": new}, "Ready") and not conditions.is_true(llm, "Ready"):
        text = f"LLMInferenceService {meta.name(llm)} is ready at {new['url']}"
        await events.record(world.client, world.clock, llm, "LLMInferenceServiceReady", text, component="serving")
