"""What is wrong with the endpoints of a Service: an EndpointSlice, or Endpoints of the old kind.

What passes here is written into the hosts files of all pods and told to the gateway, whoever wrote it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from fairway.cluster.api.checks import causes, pod_checks
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
_MOST_ENDPOINTS, _MOST_ADDRESSES = 1000, 100


def endpoint_slice(obj: Object) -> Iterator[Cause]:
    kind = obj.get("addressType")
    if kind not in _FORMS:
        yield causes.unsupported("addressType", kind, *sorted(_FORMS))
        return
    endpoints = causes.items(obj, "endpoints")
    if len(endpoints) > _MOST_ENDPOINTS:
        yield Cause(
            "endpoints", f"Too many: {len(endpoints)}: must have at most {_MOST_ENDPOINTS} items", "FieldValueTooMany"
        )
    for index, endpoint in endpoints:
        yield from _endpoint(endpoint, str(kind), f"endpoints[{index}]")
    yield from _ports(obj, "ports")


def old(obj: Object) -> Iterator[Cause]:
    for number, subset in causes.items(obj, "subsets"):
        for part in ("addresses", "notReadyAddresses"):
            for index, address in causes.items(subset, part):
                at = f"subsets[{number}].{part}[{index}]"
                if not (_is_ipv4(address.get("ip")) or _is_ipv6(address.get("ip"))):
                    yield causes.invalid(f"{at}.ip", address.get("ip"), "must be a valid IP address")
                yield from _hostname(address, at)
        yield from _ports(subset, f"subsets[{number}].ports")


def _endpoint(endpoint: Object, kind: str, at: str) -> Iterator[Cause]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        yield causes.required(f"{at}.addresses", "must contain at least 1 address")
    if len(addresses) > _MOST_ADDRESSES:
        text = f"Too many: {len(addresses)}: must have at most {_MOST_ADDRESSES} items"
        yield Cause(f"{at}.addresses", text, "FieldValueTooMany")
    fits, why = _FORMS[kind]
    for index, address in enumerate(addresses):
        if not fits(address):
            yield causes.invalid(f"{at}.addresses[{index}]", address, why)
    yield from _hostname(endpoint, at)


def _hostname(endpoint: Object, at: str) -> Iterator[Cause]:
    name = endpoint.get("hostname")
    if name and not names.dns_label(name):
        yield causes.invalid(f"{at}.hostname", name, _LABEL)


def _ports(parent: Object, at: str) -> Iterator[Cause]:
    """Without a number a port stands for all."""
    for index, port in causes.items(parent, at.rpartition(".")[2]):
        if port.get("port") is not None:
            yield from pod_checks.port_number(port["port"], f"{at}[{index}].port")
        if port.get("name") and not names.dns_label(port["name"]):
            yield causes.invalid(f"{at}[{index}].name", port["name"], _LABEL)


def _is_ipv4(address: Any) -> bool:
    return _is(ipaddress.IPv4Address, address)


def _is_ipv6(address: Any) -> bool:
    return _is(ipaddress.IPv6Address, address)


def _is(form: Callable[[str], object], address: Any) -> bool:
    try:
        form(str(address))
    except ValueError:
        return False
    return "%" not in str(address)  # a zone means something on one machine only


_FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "IPv4": (_is_ipv4, "must be a valid IPv4 address"),
    "IPv6": (_is_ipv6, "must be a valid IPv6 address"),
    "FQDN": (lambda name: names.dns_subdomain(str(name).removesuffix(".")), "must be a fully qualified domain name"),
}
