"""Reconciles InferenceGraphs: reads one and the services it names, asks `checks`, `render` and `status`, applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, controller, events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import conditions, meta, patching
from fairway.kernel.objects.kinds import DEPLOYMENT, HTTP_ROUTE, SERVICE, Object
from fairway.kernel.objects.meta import Key
from fairway.serving.graphs import checks, render, services, status
from fairway.serving.graphs.kinds import INFERENCE_GRAPH, STOP
from fairway.serving.graphs.render import Children
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.render import marks
from fairway.serving.render.place import Place

Users = dict[Key, frozenset[str]]
"""Of each graph, the services that it names: when one of them changes, so may its address."""


def build(place: Place) -> Controller:
    owner, users = controller.owner(INFERENCE_GRAPH), Users()
    return Controller(
        name="inferencegraphs",
        kind=INFERENCE_GRAPH,
        reconcile=_reconciler(place, users),
        watches=((DEPLOYMENT, owner), (SERVICE, owner), (HTTP_ROUTE, owner), (INFERENCE_SERVICE, _graphs_of(users))),
    )


def _graphs_of(users: Users) -> Callable[[Object], Iterable[Key]]:
    def graphs(isvc: Object) -> Iterable[Key]:
        namespace, name = meta.key(isvc)
        return [key for key, named in users.items() if key[0] == namespace and name in named]

    return graphs


def _reconciler(place: Place, users: Users) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> None:
        graph = world.mirror(INFERENCE_GRAPH).get(namespace, name)
        if graph is None or meta.being_deleted(graph):
            users.pop((namespace, name), None)
            return  # the children have an owner, and go with it
        users[namespace, name] = services.named(graph)
        now = timestamp(world.clock.now())
        if meta.annotations(graph).get(STOP, "").lower() == "true":
            await _apply(world, graph, Children())
            await _tell(world, graph, status.of_stopped(graph, now))
            return
        sentences = list(checks.mistakes(graph))
        if sentences:
            await _tell(world, graph, status.of_refused(graph, sentences, now))
            return
        found = {one: world.mirror(INFERENCE_SERVICE).get(namespace, one) for one in users[namespace, name]}
        there = {one: isvc for one, isvc in found.items() if isvc is not None}
        if missing := found.keys() - there.keys():
            await _tell(world, graph, status.of_missing(graph, missing, now))
            return
        wanted = render.children(graph, services.resolved(graph, there, place), place)
        await _apply(world, graph, wanted)
        deployments, routes = world.mirror(DEPLOYMENT).owned(graph), world.mirror(HTTP_ROUTE).owned(graph)
        await _tell(world, graph, status.of_running(graph, wanted, deployments, routes, place, now))

    return reconcile


async def _apply(world: World, graph: Object, wanted: Children) -> None:
    for kind, desired in ((SERVICE, wanted.services), (HTTP_ROUTE, wanted.routes)):
        await children.apply(world.client, kind, graph, desired, world.mirror(kind).owned(graph))
    observed = {meta.key(one): one for one in world.mirror(DEPLOYMENT).owned(graph)}
    for deployment in wanted.deployments:
        current = observed.get(meta.key(deployment))
        if current and marks.digest(current) != marks.digest(deployment):
            # As a whole, so that fields which the user took away go.
            metadata = {**current["metadata"], "annotations": meta.annotations(deployment)}
            changed = {**deployment, "metadata": {**metadata, "labels": meta.labels(deployment)}}
            observed[meta.key(deployment)] = await world.client.update(DEPLOYMENT, changed)
    await children.apply(world.client, DEPLOYMENT, graph, wanted.deployments, observed.values())


async def _tell(world: World, graph: Object, new: Object) -> None:
    changes = patching.diff(graph.get("status") or {}, new)
    if not changes:
        return
    patch = {"metadata": {"resourceVersion": graph["metadata"]["resourceVersion"]}, "status": changes}
    await world.client.patch(INFERENCE_GRAPH, meta.name(graph), meta.namespace(graph), patch, subresource="status")
    is_ = conditions.is_true({"status": new}, "Ready")
    if conditions.is_true(graph, "Ready") == is_:
        return
    if is_:
        text = f"InferenceGraph {meta.name(graph)} is ready at {new['address']['url']}"
        await events.record(world.client, world.clock, graph, "InferenceGraphReady", text, component="serving")
    else:
        said = conditions.find({"status": new}, "Ready") or {}
        text, name = str(said.get("message") or said.get("reason")), "InferenceGraphNotReady"
        await events.record(world.client, world.clock, graph, name, text, type="Warning", component="serving")
