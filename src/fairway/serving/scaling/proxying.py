"""How the activator gets before a Service and away again: an EndpointSlice of its own, and a selector. Pure.

Slices of one Service add up, whoever keeps them. While no pod is ready the activator's slice is the only one; when
pods come it is there beside theirs for a moment, so that there is never none. Where all requests are to pass the
activator though pods are ready (a burst capacity is wanted), the Service's selector gets a label that no pod has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairway.kernel.objects import meta, names
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, Object
from fairway.serving.scaling.activator.activator import Port

HIDDEN = "serving.fairway.dev/behind-the-activator"
SERVICE_NAME = "kubernetes.io/service-name"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "activator.serving.fairway.dev"


def slice_name(service: str) -> str:
    return names.child(service, "activator")


def activator_slice(deployment: Object, service: Object, host: str, doors: Mapping[str, int]) -> Object:
    """`doors` are the numbers of the activator's ports by the names of the Service's ports."""
    labels = {**meta.labels(service), SERVICE_NAME: meta.name(service), _MANAGED_BY: MANAGER}
    return {
        **ENDPOINT_SLICE.new(
            slice_name(meta.name(service)),
            meta.namespace(service),
            metadata={"labels": labels, "ownerReferences": [meta.owner_reference(deployment, controller=False)]},
        ),
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True, "serving": True, "terminating": False}}],
        "ports": [{"name": name, "protocol": "TCP", "port": port} for name, port in sorted(doors.items())],
    }


def ports(service: Object, pods: Iterable[Object]) -> tuple[Port, ...]:
    """The ports of a Service as the activator stands for them. A named port counts where some pod says its number."""
    found = []
    known = list(pods)
    for port in service["spec"].get("ports") or ():
        target = _number(port.get("targetPort", port["port"]), known)
        if port.get("protocol", "TCP") == "TCP" and target:
            found.append(Port(port.get("name") or "", target, _speaks_http2(port)))
    return tuple(found)


def stands_for(service: Object, deployment: Object) -> bool:
    """Whether the Service is one of the Deployment's pods. Whoever may write Deployments is not to turn another one's
    requests to them."""
    selector = {key: value for key, value in (service["spec"].get("selector") or {}).items() if key != HIDDEN}
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    return bool(selector) and selector.items() <= labels.items()


def hidden(service: Object) -> bool:
    return HIDDEN in (service["spec"].get("selector") or {})


def hiding(*, hide: bool) -> Object:
    """The merge patch of the Service that takes its pods out of the path, or back in."""
    return {"spec": {"selector": {HIDDEN: "true" if hide else None}}}


def _speaks_http2(port: Object) -> bool:
    """As gateways tell it: by appProtocol, or by the name of the port."""
    if protocol := port.get("appProtocol"):
        return protocol in ("kubernetes.io/h2c", "grpc", "http2")
    return str(port.get("name") or "").split("-")[0] in ("h2c", "grpc", "http2")


def _number(target: int | str, pods: Iterable[Object]) -> int:
    if isinstance(target, int) or target.isdigit():
        return int(target)
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            for port in container.get("ports") or ():
                if port.get("name") == target:
                    return int(port["containerPort"])
    return 0
