"""The columns of what leads traffic: Services, their endpoints, Ingresses, policies."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.cluster.api.printing.columns import AGE, NAME, NONE, WIDE, Column, at, pairs, value
from fairway.kernel.objects import selectors
from fairway.kernel.objects.kinds import Object

_SHOWN_ADDRESSES = 3


def _external_address(obj: Object, now: float) -> str:
    kind = value(obj, "spec.type") or "ClusterIP"
    if kind == "ExternalName":
        return str(value(obj, "spec.externalName") or "")
    balanced = [each.get("ip") or each.get("hostname", "") for each in value(obj, "status.loadBalancer.ingress") or ()]
    addresses = [*(balanced if kind == "LoadBalancer" else ()), *(value(obj, "spec.externalIPs") or ())]
    return ",".join(addresses) or ("<pending>" if kind == "LoadBalancer" else NONE)


def _service_ports(obj: Object, now: float) -> str:
    def text(port: Object) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"

    return ",".join(map(text, value(obj, "spec.ports") or ())) or NONE


def _endpoints(obj: Object, now: float) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return _first_of(found) or NONE


def _slice_ports(obj: Object, now: float) -> str:
    return _first_of([str(port.get("port") or "*") for port in obj.get("ports") or ()]) or "<unset>"


def _slice_endpoints(obj: Object, now: float) -> str:
    return _first_of([a for each in obj.get("endpoints") or () for a in each.get("addresses") or ()]) or "<unset>"


def _first_of(texts: list[str]) -> str:
    more = len(texts) - _SHOWN_ADDRESSES
    return ",".join(texts[:_SHOWN_ADDRESSES]) + (f" + {more} more..." if more > 0 else "")


def _hosts(obj: Object, now: float) -> str:
    return _first_of([rule.get("host") or "*" for rule in value(obj, "spec.rules") or ()]) or "*"


def _ingress_address(obj: Object, now: float) -> str:
    found = [each.get("ip") or each.get("hostname", "") for each in value(obj, "status.loadBalancer.ingress") or ()]
    return ",".join(filter(None, found))


def _ingress_ports(obj: Object, now: float) -> str:
    return "80, 443" if value(obj, "spec.tls") else "80"


def _parameters(obj: Object, now: float) -> str:
    found = value(obj, "spec.parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


def _pod_selector(obj: Object, now: float) -> str:
    return selectors.to_text(value(obj, "spec.podSelector")) or NONE


COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "services": (
        NAME,
        Column("Type", at("spec.type")),
        Column("Cluster-IP", at("spec.clusterIP", default=NONE)),
        Column("External-IP", _external_address),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", pairs("spec.selector"), priority=WIDE),
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "endpointslices.discovery.k8s.io": (
        NAME,
        Column("AddressType", at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "ingresses.networking.k8s.io": (
        NAME,
        Column("Class", at("spec.ingressClassName", default=NONE)),
        Column("Hosts", _hosts),
        Column("Address", _ingress_address),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    "ingressclasses.networking.k8s.io": (
        NAME,
        Column("Controller", at("spec.controller")),
        Column("Parameters", _parameters),
        AGE,
    ),
    "networkpolicies.networking.k8s.io": (NAME, Column("Pod-Selector", _pod_selector), AGE),
}
