"""The children of a service with several versions: theirs, those that stay, and those that may not go yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, Backend, Component, Entry
from fairway.serving.kinds import COMPONENT_LABEL
from fairway.serving.render import children as rendering
from fairway.serving.render import routes, workload
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.rollout.arrangement import STAGE, VERSION, Arrangement, version_of
from fairway.serving.status import ingress
from fairway.serving.status.seen import Seen


def children(isvc: Object, arrangement: Arrangement, at: Place, there: Seen) -> Children:
    asked = arrangement.asked
    made = rendering.children(isvc, asked, at, _entry(arrangement))
    canaries = [workload.deployment(isvc, one) for one in arrangement.canaries]
    versions = {one.name: version_of(one) for one in (asked.predictor, *arrangement.canaries)}
    deployments = [_marked(one, arrangement, versions) for one in (*made.deployments, *canaries)]
    deployments += [there.deployments[name] for name in arrangement.kept if name in there.deployments]
    beside = [workload.service(isvc, one) for one in arrangement.canaries]
    beside += [workload.service(isvc, replace(asked.predictor, name=name)) for name in arrangement.kept]
    services = {meta.name(one): one for one in (*made.services, *beside)}
    stable = arrangement.kept[0] if arrangement.kept else asked.predictor.name
    first = _first_service(isvc, asked.predictor, stable)
    services.setdefault(meta.name(first), first)
    tagged = _tagged(isvc, arrangement, at)
    return replace(
        made,
        deployments=tuple(deployments),
        services=tuple(services.values()),
        routes=(*made.routes, *tagged),
    )


def not_yet_gone(wanted: Children, there: Seen, services: Iterable[Object]) -> Children:
    """With the versions that nobody wants any more, as long as the gateway may still send requests to them."""
    if ingress.judged(wanted.routes, there.routes)[1] is True:
        return wanted
    names = {meta.name(one) for one in wanted.deployments}
    leaving = [one for one in there.deployments.values() if meta.name(one) not in names and _of_predictor(one)]
    names = {meta.name(one) for one in wanted.services}
    unused = [one for one in services if meta.name(one) not in names and _of_predictor(one)]
    return replace(wanted, deployments=(*wanted.deployments, *leaving), services=(*wanted.services, *unused))


def _entry(arrangement: Arrangement) -> Entry:
    usual = arrangement.asked.entry()
    if not arrangement.weights or arrangement.asked.transformer:
        return usual
    ports = {one.name: one.ports for one in arrangement.canaries}
    own = arrangement.asked.predictor.ports
    backends = [Backend(name, weight, ports.get(name, own)) for name, weight in arrangement.weights.items()]
    return replace(usual, backends=tuple(backends))


def _marked(deployment: Object, arrangement: Arrangement, versions: dict[str, str]) -> Object:
    name, metadata = meta.name(deployment), deployment["metadata"]
    if name not in versions:
        return deployment
    marks = {VERSION: versions[name], STAGE: arrangement.stages[name]}
    return {**deployment, "metadata": {**metadata, "annotations": {**meta.annotations(deployment), **marks}}}


def _first_service(isvc: Object, predictor: Component, stable: str) -> Object:
    """The Service that others in the cluster know, whatever the version behind it is called."""
    made = workload.service(isvc, replace(predictor, name=f"{meta.name(isvc)}-{PREDICTOR}"))
    return {**made, "spec": {**made["spec"], "selector": {"app": f"isvc.{stable}"}}}


def _tagged(isvc: Object, arrangement: Arrangement, at: Place) -> Iterator[Object]:
    """Each tag has a host of its own, in front of the predictor's."""
    for tag, name in sorted(arrangement.tags.items()):
        predictor = arrangement.asked.predictor
        entry = Entry((Backend(name, 1, predictor.ports),), waits=predictor.waits)
        named = replace(predictor, name=f"{tag}-{meta.name(isvc)}-{PREDICTOR}")
        yield routes.component_route(isvc, named, entry, at)


def _of_predictor(obj: Object) -> bool:
    return meta.labels(obj).get(COMPONENT_LABEL) == PREDICTOR
