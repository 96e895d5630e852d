"""From Gateway API routes, Services and EndpointSlices to Envoy's resources: a pure function.

One cluster for each Service port, whose endpoints are a file of their own so that a pod's coming and going
moves nothing else. One TCP listener for each port of a Service address. One table of routes for the public
port: routes of HTTPRoutes first, the front door last, in every virtual host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairway.cluster.network import guards, limits, routes
from fairway.cluster.network.config import GATEWAY_NAME, GATEWAY_NAMESPACE, LISTENER, NetworkConfig
from fairway.cluster.network.guards import Resource
from fairway.cluster.network.routes import MISSING, Rendered, Rule
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.meta import Key

FRONT = "front"
SERVICE_NAME = "kubernetes.io/service-name"
NO_SUCH_LISTENER = f"The gateway has one listener, {LISTENER!r}: leave out sectionName and port in the parentRef."
_MANY = 100_000  # circuit breakers are for the operator of a cluster; here they would only lose requests


@dataclass
class Resources:
    """Everything Envoy is told, by the file it is in, and what the routes' status is made of."""

    clusters: list[Resource]
    endpoints: dict[str, Resource]
    listeners: list[Resource]
    routes: Resource
    limits: Resource
    """The filter that counts requests, with the limits of all routes."""
    seen: list[Object]
    """The routes as they were when this was made."""
    rendered: dict[Key, Rendered]
    """What became of those that name our Gateway."""
    filled: set[str]
    """The clusters that have endpoints."""


def render(
    http_routes: Iterable[Object],
    services: Iterable[Object],
    slices: Iterable[Object],
    secrets: Iterable[Object],
    config: NetworkConfig,
) -> Resources:
    """`secrets` are those that endpoint tokens are bound to."""
    by_service = _by_service(slices)
    clusters = [_front(config), _missing()]
    endpoints: dict[str, Resource] = {}
    listeners: list[Resource] = []
    known: dict[tuple[str, str, int], str] = {}
    for service in sorted(services, key=meta.key):
        for port in _tcp_ports(service):
            name = cluster_name(service, port)
            if name in endpoints:
                continue  # one number twice, as it may be stored from a time when the API took it
            known[(*meta.key(service), int(port["port"]))] = name
            clusters.append(_cluster(name, port))
            endpoints[name] = _assignment(name, port, by_service.get(meta.key(service), ()))
            if address := _address(service):
                listeners.append(_listener(name, address, int(port["port"])))
    filled = {name for name, one in endpoints.items() if one["endpoints"][0]["lb_endpoints"]}
    rendered: dict[Key, Rendered] = {}
    http_routes, tokens = list(http_routes), guards.tokens(secrets)
    for route in http_routes:
        mine = [parent for parent in _parents(route) if ours(parent, route)]
        if any(attaches(parent, config) for parent in mine):
            rendered[meta.key(route)] = _refused_name(route, config) or routes.render(
                route, lambda ns, name, port: known.get((ns, name, port)), tokens, filled, auth=config.auth
            )
        elif mine:
            rendered[meta.key(route)] = Rendered(refused=NO_SUCH_LISTENER, refused_reason="NoMatchingParent")
    table = _route_table(rendered.values(), config)
    carried = (route for route in http_routes if (one := rendered.get(meta.key(route))) and not one.refused)
    return Resources(clusters, endpoints, listeners, table, limits.extension(carried), http_routes, rendered, filled)


def ours(parent: Object, route: Object) -> bool:
    """Whether a parent reference of the route names our Gateway."""
    return (
        (parent.get("group") or "gateway.networking.k8s.io") == "gateway.networking.k8s.io"
        and (parent.get("kind") or "Gateway") == "Gateway"
        and parent.get("name") == GATEWAY_NAME
        and (parent.get("namespace") or meta.namespace(route)) == GATEWAY_NAMESPACE
    )


def attaches(parent: Object, config: NetworkConfig) -> bool:
    """Whether the reference, which names our Gateway, also names its one listener, or none in particular."""
    return parent.get("sectionName") in (None, "", LISTENER) and parent.get("port") in (None, config.port)


def cluster_name(service: Object, port: Object) -> str:
    """Also the name of the file of its endpoints: names of Services have no dots."""
    return f"{meta.namespace(service)}.{meta.name(service)}.{port['port']}"


def _parents(route: Object) -> list[Object]:
    return (route.get("spec") or {}).get("parentRefs") or []


def _tcp_ports(service: Object) -> list[Object]:
    if service["spec"].get("type") == "ExternalName":
        return []
    return [port for port in service["spec"].get("ports") or () if port.get("protocol", "TCP") == "TCP"]


def _address(service: Object) -> str:
    address = service["spec"].get("clusterIP") or ""
    return "" if address == "None" else address


def _by_service(slices: Iterable[Object]) -> Mapping[Key, list[Object]]:
    found: dict[Key, list[Object]] = {}
    for one in slices:
        if name := meta.labels(one).get(SERVICE_NAME):
            found.setdefault((meta.namespace(one), name), []).append(one)
    return found


# Clusters and their endpoints


def _cluster(name: str, port: Object) -> Resource:
    cluster: Resource = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": watched(f"./endpoints/{name}.json")},
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": _breakers(),
        # With few endpoints left, send to the ready ones and never to the others.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }
    if _speaks_http2(port):
        options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        explicit = {"@type": options, "explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": explicit
        }
    return cluster


def _speaks_http2(port: Object) -> bool:
    """By appProtocol, or by the name of the port as Knative and Istio have it."""
    if protocol := port.get("appProtocol"):
        return protocol in ("kubernetes.io/h2c", "grpc", "http2")
    return str(port.get("name") or "").split("-")[0] in ("h2c", "grpc", "http2")


def _front(config: NetworkConfig) -> Resource:
    host, port = config.front
    return _static(FRONT, [_endpoint(host, port)])


def _missing() -> Resource:
    return _static(MISSING, [])


def _static(name: str, endpoints: list[Resource]) -> Resource:
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": _breakers(),
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _breakers() -> Resource:
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {"thresholds": [dict.fromkeys(limits, _MANY)]}


def _assignment(name: str, port: Object, slices: Iterable[Object]) -> Resource:
    endpoints = {
        (address, int(number["port"]))
        for one in slices
        if one.get("addressType") != "FQDN"
        for number in one.get("ports") or ()
        if number.get("port")
        if (number.get("name") or "") == (port.get("name") or "") and number.get("protocol", "TCP") == "TCP"
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True) is not False
        for address in endpoint.get("addresses") or ()
    }
    return {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [_endpoint(*endpoint) for endpoint in sorted(endpoints)]}],
    }


def _endpoint(address: str, port: int) -> Resource:
    return {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}


def watched(file: str) -> Resource:
    """A source of resources that is a file, read again when another is moved in its place."""
    return {"path_config_source": {"path": file}, "resource_api_version": "V3"}


# Listeners of Service addresses


def _listener(cluster: str, address: str, port: int) -> Resource:
    proxy = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "services",
        "cluster": cluster,
        "idle_timeout": "0s",
        "max_connect_attempts": 3,
    }
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": cluster,
        "address": {"socket_address": {"address": address, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}],
        "enable_reuse_port": False,
    }


# Routes of the public port


def _refused_name(route: Object, config: NetworkConfig) -> Rendered | None:
    """The front door's names are its own: a page there would be taken for the dashboard."""
    taken = {str(host).lower() for host in (route.get("spec") or {}).get("hostnames") or ()} & set(config.front_names)
    if not taken:
        return None
    sentence = f"{min(taken)} is a name of the front door: leave it out, and the paths of the route hold there too"
    return Rendered(refused=sentence, refused_reason="UnsupportedValue")


def _route_table(rendered: Iterable[Rendered], config: NetworkConfig) -> Resource:
    by_host: dict[str, list[Rule]] = {}
    everywhere: list[Rule] = []
    for route in rendered:
        for host in route.hostnames:
            by_host.setdefault(host, []).extend(route.rules)
        if not route.hostnames:
            everywhere.extend(route.rules)
    shared = [routes.beside_the_front(rule.envoy) for rule in _ordered(everywhere)]
    # Within a host its own routes come before those for all hosts: the more particular name wins.
    own = [
        _virtual_host(host, [host], [*(rule.envoy for rule in _ordered(rules)), *shared])
        for host, rules in sorted(by_host.items())
    ]
    # By its own names too, or a route for *.example.com would stand before the front door at fairway.example.com.
    front = _virtual_host("*", ["*", *config.front_names], [*_front_paths(config), *shared])
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": "public",
        "virtual_hosts": [front, *own],
        "ignore_port_in_host_matching": True,
    }


def _ordered(rules: Iterable[Rule]) -> list[Rule]:
    return sorted(rules, key=lambda rule: rule.rank)


def _virtual_host(name: str, domains: list[str], before: list[Resource]) -> Resource:
    return {"name": name, "domains": domains, "routes": [*before, _to_front({"prefix": "/"})]}


def _front_paths(config: NetworkConfig) -> list[Resource]:
    """What is the front door's stays so: whoever may make routes could take the tokens that come there."""
    return [
        _to_front({"path_separated_prefix": path} if path.strip("/") else {"path": "/"}) for path in config.front_paths
    ]


def _to_front(match: Resource) -> Resource:
    """The front door checks identities itself, and streams for as long as it likes."""
    return {
        "match": match,
        "route": {"cluster": FRONT, "timeout": "0s", "idle_timeout": "0s"},
        "typed_per_filter_config": guards.unchecked(),
    }
