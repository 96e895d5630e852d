"""From a graph to the objects that serve it: the router's Deployment, its Service, and its routes. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import DEPLOYMENT, HTTP_ROUTE, SERVICE, Object
from fairway.serving.graphs.kinds import GRAPH_LABEL, PROPAGATE
from fairway.serving.kinds import RENDERED
from fairway.serving.render import marks, place, traffic
from fairway.serving.render.place import Place
from fairway.serving.render.routes import GATEWAY

PORT = 8080
IMAGE = "kserve/router:latest"
WARM = "fairway.dev/warm"

_SMALL = {"requests": {"cpu": "100m", "memory": "64Mi"}}
_NO_GAP = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
_OF_PODS = ("affinity", "tolerations", "nodeSelector", "nodeName", "serviceAccountName")
_POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


@dataclass(frozen=True)
class Children:
    deployments: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    routes: tuple[Object, ...] = ()


def children(graph: Object, resolved: Object, at: Place) -> Children:
    """`resolved` is the spec with all addresses."""
    return Children(
        deployments=(_deployment(graph, resolved),),
        services=(_service(graph),),
        routes=(_host_route(graph, at), _path_route(graph)),
    )


def path_prefix(graph: Object) -> str:
    return f"/graphs/{meta.namespace(graph)}/{meta.name(graph)}"


def replicas(graph: Object) -> int:
    """A graph has a router at all times: it is small, and what it asks may sleep by itself."""
    return max(1, int(graph["spec"].get("minReplicas", 1)))


def _labels(graph: Object) -> dict[str, str]:
    return {**meta.labels(graph), "app": f"graph.{meta.name(graph)}", GRAPH_LABEL: meta.name(graph)}


def _deployment(graph: Object, resolved: Object) -> Object:
    labels = _labels(graph)
    spec = graph["spec"]
    pod: Object = {
        "terminationGracePeriodSeconds": 30,
        **{field: spec[field] for field in _OF_PODS if spec.get(field)},
        "containers": [_container(graph, resolved)],
    }
    annotations = {WARM: "sidecar"}
    template: Object = {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod}
    rendered = marks.digest_of(template)
    annotations[RENDERED] = rendered
    wanted: Object = {
        "replicas": replicas(graph),
        "selector": {"matchLabels": {"app": labels["app"]}},
        "strategy": _NO_GAP,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "template": template,
    }
    made = DEPLOYMENT.new(meta.name(graph), meta.namespace(graph), spec=wanted)
    return marks.child(made, labels, rendered)


def _container(graph: Object, resolved: Object) -> Object:
    patterns = meta.annotations(graph).get(PROPAGATE)
    return {
        "name": meta.name(graph),
        "image": IMAGE,
        "command": ["python3", "-m", "fairway.serving.graphs.router"],
        "args": [
            "--host=$(POD_IP)",
            f"--namespace={meta.namespace(graph)}",
            "--graph-json",
            json.dumps(resolved, sort_keys=True),
        ],
        "env": [_POD_IP, *([{"name": "PROPAGATE_HEADERS", "value": patterns}] if patterns else [])],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": graph["spec"].get("resources") or _SMALL,
        "startupProbe": {**_ready(), "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**_ready(), "periodSeconds": 5, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _ready() -> Object:
    return {"httpGet": {"path": "/readyz", "port": PORT}, "timeoutSeconds": 2}


def _service(graph: Object) -> Object:
    labels = _labels(graph)
    ports = [{"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"}]
    spec = {"selector": {"app": labels["app"]}, "ports": ports}
    return marks.child(SERVICE.new(meta.name(graph), meta.namespace(graph), spec=spec), labels)


def _host_route(graph: Object, at: Place) -> Object:
    hosts = list(place.hosts(graph, at))
    return _route(graph, f"{meta.name(graph)}.graph", _rule(graph, "/", []), hosts)


def _path_route(graph: Object) -> Object:
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    return _route(graph, f"{meta.name(graph)}.graph.path", _rule(graph, path_prefix(graph), [rewrite]), [])


def _route(graph: Object, name: str, rule: Object, hosts: list[str]) -> Object:
    gateway: Object = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **GATEWAY}
    spec: Object = {"parentRefs": [gateway], **({"hostnames": hosts} if hosts else {}), "rules": [rule]}
    made = marks.child(HTTP_ROUTE.new(name, meta.namespace(graph), spec=spec), _labels(graph), marks.digest_of(spec))
    annotations = {
        **meta.annotations(made),
        **traffic.on_routes(graph),
        traffic.ENDPOINT: f"graph/{meta.name(graph)}",
    }
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


def _rule(graph: Object, prefix: str, filters: list[Object]) -> Object:
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        **({"filters": filters} if filters else {}),
        "backendRefs": [{"group": "", "kind": "Service", "name": meta.name(graph), "port": 80, "weight": 1}],
        "timeouts": {"request": f"{graph['spec'].get('timeout') or 60}s"},
    }
