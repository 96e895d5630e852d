"""Everything that is made for an InferenceService, as one value. Pure. `status` judges what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, Component, Entry
from fairway.serving.reading import Asked, backend
from fairway.serving.render import routes, workload
from fairway.serving.render.place import Place
from fairway.serving.scaling.horizontal import horizontal


@dataclass(frozen=True)
class Children:
    deployments: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    routes: tuple[Object, ...] = ()
    scalers: tuple[Object, ...] = ()
    """HorizontalPodAutoscalers."""


def children(isvc: Object, asked: Asked, at: Place, entry: Entry | None = None) -> Children:
    """`entry` is where requests go; without it, to the one version of each component that there is."""
    deployments = tuple(workload.deployment(isvc, one) for one in asked.components)
    pairs = zip(deployments, asked.components, strict=True)
    return Children(
        deployments=deployments,
        scalers=tuple(filter(None, (horizontal(*pair) for pair in pairs))),
        services=tuple(workload.service(isvc, one) for one in asked.components),
        routes=_routes(isvc, asked, at, entry or asked.entry()),
    )


def _routes(isvc: Object, asked: Asked, at: Place, entry: Entry) -> tuple[Object, ...]:
    """One route for all hosts where there is only a predictor; its own host is then one more name of the service."""
    if asked.cluster_local:
        return ()
    path = routes.path_route(isvc, entry)
    if len(asked.components) == 1:
        return routes.host_route(isvc, entry, at, names=(f"{meta.name(isvc)}-{PREDICTOR}",)), path
    own = tuple(routes.component_route(isvc, one, _alone(one), at) for one in asked.components)
    return routes.host_route(isvc, entry, at), path, *own


def _alone(component: Component) -> Entry:
    return Entry((backend(component),), waits=component.waits)
