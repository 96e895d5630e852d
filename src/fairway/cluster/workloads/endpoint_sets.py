"""Where a Service's traffic goes: from the Service and its pods to EndpointSlices and Endpoints. Pure.

A pod on its way out is not ready whatever its containers say, so that traffic leaves before it stops.
Pods that resolve a named port to different numbers are in different slices.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairway.cluster.workloads import pods
from fairway.kernel.objects import meta, names
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, Object

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
_LARGEST = 1000  # endpoints in one slice, as the API allows

Port = tuple[str, str, int]
"""(name, protocol, number)"""


def slices(service: Object, selected: Iterable[Object]) -> list[Object]:
    groups: dict[tuple[Port, ...], list[Object]] = {}
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    for pod in sorted(selected, key=meta.name):
        if _has_address(pod):
            groups.setdefault(_ports(service, pod), []).append(_endpoint(service, pod, always))
    made = []
    for ports, endpoints in (groups or {(): []}).items():
        for start in range(0, max(1, len(endpoints)), _LARGEST):
            made.append(_slice(service, ports, endpoints[start : start + _LARGEST], start // _LARGEST))
    return made


def legacy(service: Object, selected: Iterable[Object]) -> Object:
    """The older form of the same, which many clients still read."""
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    subsets: dict[tuple[Port, ...], Object] = {}
    for pod in sorted(selected, key=meta.name):
        if not _has_address(pod) or (meta.being_deleted(pod) and not always):
            continue
        ports = _ports(service, pod)
        subset = subsets.setdefault(ports, {"ports": [_wire(port) for port in ports]})
        place = "addresses" if always or pods.ready(pod) else "notReadyAddresses"
        address = {"ip": pod["status"]["podIP"], "nodeName": pods.node_name(pod), "targetRef": _reference(pod)}
        subset.setdefault(place, []).append(address)
    return ENDPOINTS.new(
        meta.name(service),
        meta.namespace(service),
        metadata={"labels": dict(meta.labels(service)), "ownerReferences": [meta.owner_reference(service)]},
        subsets=[subsets[ports] for ports in sorted(subsets)],
    )


def _slice(service: Object, ports: tuple[Port, ...], endpoints: list[Object], number: int) -> Object:
    name = names.child(meta.name(service), pods.slug(meta.uid(service), ports, number))
    return {
        **ENDPOINT_SLICE.new(
            name,
            meta.namespace(service),
            metadata={
                "labels": {**meta.labels(service), SERVICE_NAME: meta.name(service), MANAGED_BY: MANAGER},
                "ownerReferences": [meta.owner_reference(service)],
            },
        ),
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [_wire(port) for port in ports],
    }


def _endpoint(service: Object, pod: Object, always: bool) -> Object:
    leaving, serving = meta.being_deleted(pod), pods.ready(pod)
    endpoint: Object = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": always or (serving and not leaving),
            "serving": always or serving,
            "terminating": leaving,
        },
        "nodeName": pods.node_name(pod),
        "targetRef": _reference(pod),
    }
    hostname = pod["spec"].get("hostname")
    if hostname and pod["spec"].get("subdomain") == meta.name(service):
        endpoint["hostname"] = hostname
    return endpoint


def _ports(service: Object, pod: Object) -> tuple[Port, ...]:
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = _number(port.get("targetPort", port["port"]), protocol, pod)
        if number:
            found.append((port.get("name") or "", protocol, number))
    return tuple(found)


def _number(target: int | str, protocol: str, pod: Object) -> int:
    """The pod's number for a target port; 0 where the pod has no port of that name."""
    if isinstance(target, int) or target.isdigit():
        return int(target)
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return 0


def _wire(port: Port) -> dict[str, Any]:
    name, protocol, number = port
    return {"name": name, "protocol": protocol, "port": number}


def _has_address(pod: Object) -> bool:
    return not pods.over(pod) and bool((pod.get("status") or {}).get("podIP"))


def _reference(pod: Object) -> Object:
    return {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}
