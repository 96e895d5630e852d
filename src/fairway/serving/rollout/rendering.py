"""The children of a service with several versions: theirs, those that stay, and those that may not go yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, Backend, Component, Entry, Ports
from fairway.serving.kinds import COMPONENT_LABEL
from fairway.serving.render import children as rendering
from fairway.serving.render import routes, workload
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.rollout import ports
from fairway.serving.rollout.arrangement import STAGE, VERSION, Arrangement, version_of
from fairway.serving.status import ingress
from fairway.serving.status.seen import Seen


def children(isvc: Object, arrangement: Arrangement, at: Place, there: Seen, services: Iterable[Object]) -> Children:
    """`services` are the Services that are there."""
    services = list(services)
    asked, kept = arrangement.asked, _kept(arrangement, services)
    made = rendering.children(isvc, asked, at, _entry(arrangement, kept))
    canaries = [workload.deployment(isvc, one) for one in arrangement.canaries]
    versions = {one.name: version_of(one) for one in (asked.predictor, *arrangement.canaries)}
    deployments = [_marked(one, arrangement, versions) for one in (*made.deployments, *canaries)]
    deployments += [there.deployments[name] for name in arrangement.kept if name in there.deployments]
    beside = [workload.service(isvc, one) for one in arrangement.canaries]
    beside += [workload.service(isvc, one) for one in kept.values()]
    wanted = {meta.name(one): one for one in (*made.services, *beside)}
    first = _first_service(isvc, next(iter(kept.values()), asked.predictor))
    wanted.setdefault(meta.name(first), first)
    tagged = _tagged(isvc, arrangement, at, kept)
    return replace(
        made,
        deployments=tuple(deployments),
        services=tuple(ports.moving(wanted.values(), services, deployments, there)),
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


def _kept(arrangement: Arrangement, services: Iterable[Object]) -> dict[str, Component]:
    """The versions that stay, by their names, at their own ports: the newest may listen elsewhere."""
    there, newest = {meta.name(one): one for one in services}, arrangement.asked.predictor
    return {
        name: replace(newest, name=name, ports=_ports(there[name]) if name in there else newest.ports)
        for name in arrangement.kept
    }


def _ports(service: Object) -> Ports:
    """What `workload.service` made the Service of."""
    targets = {port.get("name"): port.get("targetPort") for port in service["spec"]["ports"]}
    return Ports(http=targets.get("http"), grpc=targets.get("grpc"))


def _entry(arrangement: Arrangement, kept: Mapping[str, Component]) -> Entry:
    usual = arrangement.asked.entry()
    if not arrangement.weights or arrangement.asked.transformer:
        return usual
    listening = {one.name: one.ports for one in (*arrangement.canaries, *kept.values())}
    own = arrangement.asked.predictor.ports
    backends = [Backend(name, weight, listening.get(name, own)) for name, weight in arrangement.weights.items()]
    return replace(usual, backends=tuple(backends))


def _marked(deployment: Object, arrangement: Arrangement, versions: dict[str, str]) -> Object:
    name, metadata = meta.name(deployment), deployment["metadata"]
    if name not in versions:
        return deployment
    marks = {VERSION: versions[name], STAGE: arrangement.stages[name]}
    return {**deployment, "metadata": {**metadata, "annotations": {**meta.annotations(deployment), **marks}}}


def _first_service(isvc: Object, stable: Component) -> Object:
    """The Service that others in the cluster know, whatever the version behind it is called."""
    made = workload.service(isvc, replace(stable, name=f"{meta.name(isvc)}-{PREDICTOR}"))
    return {**made, "spec": {**made["spec"], "selector": {"app": f"isvc.{stable.name}"}}}


def _tagged(isvc: Object, arrangement: Arrangement, at: Place, kept: Mapping[str, Component]) -> Iterator[Object]:
    """Each tag has a host of its own, in front of the predictor's."""
    for tag, name in sorted(arrangement.tags.items()):
        predictor = arrangement.asked.predictor
        entry = Entry((Backend(name, 1, kept.get(name, predictor).ports),), waits=predictor.waits)
        named = replace(predictor, name=f"{tag}-{meta.name(isvc)}-{PREDICTOR}")
        yield routes.component_route(isvc, named, entry, at)


def _of_predictor(obj: Object) -> bool:
    return meta.labels(obj).get(COMPONENT_LABEL) == PREDICTOR
