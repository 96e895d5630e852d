"""A component's Deployment and its Service. Pure.

The Deployment never takes an answering pod away before a new one answers, and a pod answers on for a moment after it
was told to go: no request fails in a rollout.
"""

from __future__ import annotations

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import DEPLOYMENT, SERVICE, Object
from fairway.serving.component import GRPC_PORT, HTTP_PORT, Component
from fairway.serving.kinds import RENDERED
from fairway.serving.render import marks
from fairway.serving.scaling import contract as contracts

NO_GAP = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
_H2C = "kubernetes.io/h2c"


def deployment(isvc: Object, component: Component) -> Object:
    labels = marks.labels(isvc, component.name, component.role)
    given = component.template["metadata"]
    annotations = dict(given["annotations"])
    metadata: Object = {"labels": {**given["labels"], **labels}, "annotations": annotations}
    named = {**meta.labels(isvc), **labels}  # whoever lists Deployments by the service's own labels finds it
    template: Object = {"metadata": metadata, "spec": component.template["spec"]}
    spec: Object = {
        "replicas": component.contract.at_first,
        "selector": {"matchLabels": {"app": labels["app"]}},
        "strategy": component.strategy or NO_GAP,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "template": template,
    }
    rendered = marks.digest_of(template)
    annotations[RENDERED] = rendered
    made = marks.child(DEPLOYMENT.new(component.name, meta.namespace(isvc), spec=spec), named, rendered)
    return contracts.written(made, component.contract)


def service(isvc: Object, component: Component) -> Object:
    """HTTP at port 80 and gRPC at 8081; what speaks nothing but gRPC does so at both."""
    labels = marks.labels(isvc, component.name, component.role)
    http, grpc = component.ports.http, component.ports.grpc
    ports = [{"name": "http", "port": HTTP_PORT, "targetPort": http, "protocol": "TCP"}] if http else []
    if grpc:
        plain: Object = {"targetPort": grpc, "protocol": "TCP", "appProtocol": _H2C}
        ports.append({"name": "grpc", "port": GRPC_PORT, **plain})
        if not http:
            ports.append({"name": "h2c", "port": HTTP_PORT, **plain})
    spec = {"selector": {"app": labels["app"]}, "ports": ports}
    return marks.child(SERVICE.new(component.name, meta.namespace(isvc), spec=spec), labels)
