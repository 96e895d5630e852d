"""Where a Service's webhook listens: the address and port of a pod that is ready, as its EndpointSlices tell.

The API does not go through the Service's own address: on one machine a pod's address is as near.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE, Object

_SERVICE_NAME = "kubernetes.io/service-name"


class NoEndpoint(Exception):
    """Nobody answers there; the text says why, in upstream's words."""


def find(store: Store, namespace: str, name: str, port: int) -> tuple[str, int]:
    """One of the addresses behind a port of a Service. Raises NoEndpoint."""
    record = store.get(Key(SERVICE.resource, namespace, name))
    if record is None:
        raise NoEndpoint(f'service "{name}" not found')
    spec = record.object.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or ""), port
    wanted = next((each for each in spec.get("ports") or () if each.get("port") == port), None)
    if wanted is None:
        raise NoEndpoint(f'no service port {port} found for service "{name}"')
    found = list(_addresses(store, namespace, name, str(wanted.get("name") or "")))
    if not found:
        raise NoEndpoint(f'no endpoints available for service "{name}"')
    return random.choice(found)  # noqa: S311


def _addresses(store: Store, namespace: str, name: str, port: str) -> Iterator[tuple[str, int]]:
    for record in store.list(ENDPOINT_SLICE.resource, namespace, label=(_SERVICE_NAME, name)).records:
        number = _number(record.object.get("ports") or (), port)
        for endpoint in record.object.get("endpoints") or () if number else ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                yield from ((str(address), number) for address in endpoint.get("addresses") or ())
    # Whoever writes endpoints by hand may write the old kind.
    legacy = store.get(Key(ENDPOINTS.resource, namespace, name))
    for subset in (legacy.object.get("subsets") or ()) if legacy else ():
        number = _number(subset.get("ports") or (), port)
        for address in subset.get("addresses") or () if number else ():
            yield str(address.get("ip") or ""), number


def _number(ports: Iterable[Object], name: str) -> int:
    return next((int(port["port"]) for port in ports if str(port.get("name") or "") == name and port.get("port")), 0)
