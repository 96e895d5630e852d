"""From an InferenceService to the objects that serve it. Pure.

The Deployment never takes an answering pod away before a new one answers, and a pod answers on for a moment after
it was told to go: no request fails in a rollout. `status` judges what became of it all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import DEPLOYMENT, HTTP_ROUTE, SERVICE, Object
from fairway.serving.kinds import COMPONENT_LABEL, RENDERED, SERVICE_LABEL
from fairway.serving.runtimes import PORT
from fairway.serving.spec import Predictor

CONTAINER = "kserve-container"
GATEWAY = {"namespace": "fairway-system", "name": "fairway"}
WARM = "fairway.dev/warm"

_SMALL = {"requests": {"cpu": "100m", "memory": "256Mi"}}
"""What a server asks for unless told. KServe's 1 CPU and 2 GiB would fill a laptop with two models."""

_NO_GAP = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}

_POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
"""The server listens on its pod's own address and nowhere else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where services are reached: hosts end in `domain`; paths begin at `public_url`."""

    domain: str
    public_url: str


@dataclass(frozen=True)
class Children:
    deployments: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    routes: tuple[Object, ...] = ()


def children(isvc: Object, predictor: Predictor, place: Place) -> Children:
    return Children(
        deployments=(deployment(isvc, predictor),),
        services=(service(isvc),),
        routes=(host_route(isvc, predictor, place), path_route(isvc, predictor)),
    )


def workload_name(isvc: Object) -> str:
    return f"{meta.name(isvc)}-predictor"


def hosts(isvc: Object, place: Place) -> tuple[str, str]:
    """The first is the service's own; the second its form with dots."""
    name, namespace = meta.name(isvc), meta.namespace(isvc)
    return f"{name}-{namespace}.{place.domain}", f"{name}.{namespace}.{place.domain}"


def path_prefix(isvc: Object) -> str:
    return f"/serving/{meta.namespace(isvc)}/{meta.name(isvc)}"


def digest(obj: Object) -> str:
    """By which pods and routes of this rendering are told from older ones."""
    return str(meta.annotations(obj).get(RENDERED) or "")


def deployment(isvc: Object, predictor: Predictor) -> Object:
    labels = _labels(isvc)
    pod: Object = {
        "terminationGracePeriodSeconds": 30,
        **predictor.pod,
        "containers": [_container(isvc, predictor)],
    }
    annotations = {WARM: predictor.runtime.warm, **predictor.annotations}
    template: Object = {"metadata": {"labels": {**predictor.labels, **labels}, "annotations": annotations}, "spec": pod}
    spec: Object = {
        "replicas": predictor.replicas,
        "selector": {"matchLabels": {"app": labels["app"]}},
        "strategy": predictor.strategy or _NO_GAP,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "template": template,
    }
    rendered = _digest(template)
    annotations[RENDERED] = rendered
    return _child(DEPLOYMENT.new(workload_name(isvc), meta.namespace(isvc), spec=spec), labels, rendered)


def service(isvc: Object) -> Object:
    labels = _labels(isvc)
    spec = {
        "selector": {"app": labels["app"]},
        "ports": [{"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"}],
    }
    return _child(SERVICE.new(workload_name(isvc), meta.namespace(isvc), spec=spec), labels)


def host_route(isvc: Object, predictor: Predictor, place: Place) -> Object:
    """KServe's own paths, at the service's hosts."""
    rule = _rule(isvc, predictor, "/", [])
    spec = {"parentRefs": [_gateway()], "hostnames": list(hosts(isvc, place)), "rules": [rule]}
    return _child(HTTP_ROUTE.new(meta.name(isvc), meta.namespace(isvc), spec=spec), _labels(isvc), _digest(spec))


def path_route(isvc: Object, predictor: Predictor) -> Object:
    """The same behind /serving/{namespace}/{name} at every host, for clients that cannot choose a Host header.

    Its name has a dot, which no InferenceService may have, so that it meets no other service's route.
    """
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    rule = _rule(isvc, predictor, path_prefix(isvc), [rewrite])
    spec = {"parentRefs": [_gateway()], "rules": [rule]}
    route = HTTP_ROUTE.new(f"{meta.name(isvc)}.path", meta.namespace(isvc), spec=spec)
    return _child(route, _labels(isvc), _digest(spec))


def _rule(isvc: Object, predictor: Predictor, prefix: str, filters: list[Object]) -> Object:
    names = [
        {"name": "KServe-Isvc-Name", "value": meta.name(isvc)},
        {"name": "KServe-Isvc-Namespace", "value": meta.namespace(isvc)},
    ]
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        "filters": [*filters, {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": names}}],
        "backendRefs": [{"group": "", "kind": "Service", "name": workload_name(isvc), "port": 80, "weight": 1}],
        "timeouts": {"request": f"{predictor.timeout}s"},
    }


def _container(isvc: Object, predictor: Predictor) -> Object:
    name = meta.name(isvc)
    own = dict(predictor.container)
    arguments = [f"--model_name={name}", f"--model_dir={predictor.location}", "--host=$(POD_IP)", f"--http_port={PORT}"]
    if predictor.concurrency:
        arguments.append(f"--container_concurrency={predictor.concurrency}")
    return {
        "name": CONTAINER,
        "image": predictor.runtime.image,
        "command": list(predictor.runtime.command),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": _SMALL,
        # Start is asked for often and for long, because a large model may load for minutes; a model that cannot
        # load ends its process, so that nobody waits for that.
        "startupProbe": {**_ready(name), "periodSeconds": 1, "failureThreshold": 1800},
        "readinessProbe": {**_ready(name), "periodSeconds": 5, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **own,
        "args": [*arguments, *own.get("args", ())],
        "env": [_POD_IP, *own.get("env", ())],
    }


def _ready(name: str) -> Object:
    return {"httpGet": {"path": f"/v2/models/{name}/ready", "port": PORT}, "timeoutSeconds": 2}


def _gateway() -> Object:
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", **GATEWAY}


def _labels(isvc: Object) -> dict[str, str]:
    name = meta.name(isvc)
    return {"app": f"isvc.{workload_name(isvc)}", SERVICE_LABEL: name, COMPONENT_LABEL: "predictor"}


def _child(obj: Object, labels: dict[str, str], rendered: str = "") -> Object:
    extra: Object = {"labels": labels, **({"annotations": {RENDERED: rendered}} if rendered else {})}
    return {**obj, "metadata": {**obj["metadata"], **extra}}


def _digest(part: Object) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:10]
