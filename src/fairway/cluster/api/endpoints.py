"""Where a port of a Service leads: the addresses of the pods that are ready, as its EndpointSlices tell.

The proxy, webhooks and servers of aggregated APIs all ask here. The API does not go through the Service's own address:
on one machine a pod's address is as near. Who writes endpoints by hand may write the old kind, which is read where
there are no slices.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE, Object

Address = tuple[str, int]

_SERVICE_NAME = "kubernetes.io/service-name"


class NoEndpoint(Exception):
    """Nobody answers there; the text says why, in upstream's words."""


def find(store: Store, namespace: str, name: str, port: int) -> Address:
    """One of the addresses behind a port of a Service. Raises NoEndpoint."""
    record = store.get(Key(SERVICE.resource, namespace, name))
    if record is None:
        raise NoEndpoint(f'service "{name}" not found')
    if (record.object.get("spec") or {}).get("type") == "ExternalName":
        return str(record.object["spec"].get("externalName") or ""), port
    return behind(store, record.object, port)


def behind(store: Store, service: Object, port: str | int) -> Address:
    """The same; a text may be the name of the port, or nothing where there is only one. Raises NoEndpoint."""
    metadata = service["metadata"]
    found = list(_addresses(store, metadata["namespace"], metadata["name"], _port_name(service, port)))
    if not found:
        raise NoEndpoint(f'no endpoints available for service "{metadata["name"]}"')
    return random.choice(found)  # noqa: S311 - no secret


def _port_name(service: Object, port: str | int) -> str:
    ports = (service.get("spec") or {}).get("ports") or ()
    for each in ports:
        if str(port) in (each.get("name") or "", str(each["port"])) or (not port and len(ports) == 1):
            return str(each.get("name") or "")
    shown = f'"{port}"' if isinstance(port, str) else port
    raise NoEndpoint(f'no service port {shown} found for service "{service["metadata"]["name"]}"')


def _addresses(store: Store, namespace: str, name: str, port: str) -> Iterator[Address]:
    slices = store.list(ENDPOINT_SLICE.resource, namespace, label=(_SERVICE_NAME, name)).records
    for record in slices:
        number = _number(record.object.get("ports") or (), port)
        for endpoint in record.object.get("endpoints") or () if number else ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                yield from ((str(address), number) for address in endpoint.get("addresses") or ())
    old = None if slices else store.get(Key(ENDPOINTS.resource, namespace, name))
    for subset in (old.object.get("subsets") or ()) if old else ():
        number = _number(subset.get("ports") or (), port)
        for address in subset.get("addresses") or () if number else ():
            yield str(address.get("ip") or ""), number


def _number(ports: Iterable[Object], name: str) -> int:
    return next((int(port["port"]) for port in ports if str(port.get("name") or "") == name and port.get("port")), 0)
