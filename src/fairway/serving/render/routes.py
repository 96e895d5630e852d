"""The HTTPRoutes of a service: at its hosts, at its path, and at its components' own hosts. Pure.

gRPC has the same hosts: what says in its content type that it is gRPC goes to the backend's gRPC port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import HTTP_ROUTE, Object
from fairway.serving.component import GRPC_PORT, HTTP_PORT, PREDICTOR, Backend, Component, Entry
from fairway.serving.kinds import COMPONENT_LABEL
from fairway.serving.render import marks, place, traffic
from fairway.serving.render.place import Place

GATEWAY = {"namespace": "fairway-system", "name": "fairway"}

_GRPC = {"type": "RegularExpression", "name": "content-type", "value": "application/grpc.*"}
_EXPLAINED = {"type": "RegularExpression", "value": "/v1/models/[^/]+:explain"}


def host_route(isvc: Object, entry: Entry, at: Place, *, names: Sequence[str] = ()) -> Object:
    """KServe's own paths, at the service's hosts, and at those of the components in `names`."""
    hosts = [host for name in ("", *names) for host in place.hosts(isvc, at, name)[: 1 if name else 2]]
    rules = [*_explaining(isvc, entry, _EXPLAINED, []), *_rules(isvc, entry, "/", [], grpc=True)]
    return _route(isvc, meta.name(isvc), rules, hosts)


def path_route(isvc: Object, entry: Entry) -> Object:
    """The same behind /serving/{namespace}/{name} at every host, for clients that cannot choose a Host header.

    Its name has a dot, which no InferenceService may have, so that it meets no other service's route.
    """
    prefix, explain = place.path_prefix(isvc), f"/v1/models/{meta.name(isvc)}:explain"
    whole = [_rewrite({"type": "ReplaceFullPath", "replaceFullPath": explain})]
    cut = [_rewrite({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"})]
    exact: Object = {"type": "Exact", "value": f"{prefix}{explain}"}
    rules = [*_explaining(isvc, entry, exact, whole), *_rules(isvc, entry, prefix, cut, grpc=False)]
    return _route(isvc, f"{meta.name(isvc)}.path", rules)


def component_route(isvc: Object, component: Component, entry: Entry, at: Place) -> Object:
    """A component alone, at a host of its own."""
    host = place.hosts(isvc, at, component.name)[0]
    route = _route(isvc, component.name, list(_rules(isvc, entry, "/", [], grpc=True)), [host])
    labels = {**meta.labels(route), COMPONENT_LABEL: component.role, "app": f"isvc.{component.name}"}
    return {**route, "metadata": {**route["metadata"], "labels": labels}}


def _route(isvc: Object, name: str, rules: list[Object], hosts: Sequence[str] = ()) -> Object:
    gateway: Object = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **GATEWAY}
    spec: Object = {"parentRefs": [gateway], **({"hostnames": list(hosts)} if hosts else {}), "rules": rules}
    labels = marks.labels(isvc, f"{meta.name(isvc)}-{PREDICTOR}", PREDICTOR)
    route = marks.child(HTTP_ROUTE.new(name, meta.namespace(isvc), spec=spec), labels, marks.digest_of(spec))
    annotations = {**meta.annotations(route), **traffic.on_routes(isvc)}
    return {**route, "metadata": {**route["metadata"], "annotations": annotations}}


def _rules(isvc: Object, entry: Entry, prefix: str, filters: list[Object], *, grpc: bool) -> Iterator[Object]:
    path = {"type": "PathPrefix", "value": prefix}
    for header, chosen in traffic.by_header(isvc):
        yield _rule(isvc, {"path": path, "headers": [header]}, filters, [chosen], HTTP_PORT, entry.waits)
    filters = [*filters, *traffic.mirrors(isvc)]
    speaks_grpc = all(one.ports.grpc for one in entry.backends)
    speaks_http = all(one.ports.http for one in entry.backends)
    if grpc and speaks_grpc and speaks_http:
        match = {"path": path, "headers": [_GRPC]}
        yield _rule(isvc, match, filters, entry.backends, GRPC_PORT, entry.waits)
    port = HTTP_PORT if speaks_http else GRPC_PORT
    yield _rule(isvc, {"path": path}, filters, entry.backends, port, entry.waits)


def _explaining(isvc: Object, entry: Entry, path: Object, filters: list[Object]) -> Iterator[Object]:
    if entry.explainers:
        yield _rule(isvc, {"path": path}, filters, entry.explainers, HTTP_PORT, entry.waits)


def _rule(
    isvc: Object, match: Object, filters: list[Object], backends: Sequence[Backend], port: int, waits: int
) -> Object:
    names = [
        {"name": "KServe-Isvc-Name", "value": meta.name(isvc)},
        {"name": "KServe-Isvc-Namespace", "value": meta.namespace(isvc)},
    ]
    return {
        "matches": [match],
        "filters": [*filters, {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": names}}],
        "backendRefs": [
            {"group": "", "kind": "Service", "name": one.service, "port": port, "weight": one.weight}
            for one in backends
        ],
        "timeouts": {"request": f"{waits}s"},
    }


def _rewrite(path: Object) -> Object:
    return {"type": "URLRewrite", "urlRewrite": {"path": path}}
