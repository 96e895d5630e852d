"""Where this server is, as the clients of a cluster look for it: the Service `kubernetes` in namespace default.

It has no address of its own (port 443 is not for everybody to bind, and the server already has one): whoever asks
finds the server's own address and port in its EndpointSlice. Written at each start, as the port may be another.
"""

from __future__ import annotations

import ipaddress
import logging

from fairway.cluster.api.addresses import HEADLESS
from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, SERVICE, Object

log = logging.getLogger(__name__)

NAME, NAMESPACE = "kubernetes", "default"

_PORT_NAME = "https"


async def tell(client: Client, host: str, port: int) -> None:
    """Where it is refused, by a webhook or a quota, the server starts all the same: that is mended through it alone."""
    for kind, wanted in ((SERVICE, _service(port)), (ENDPOINT_SLICE, _slice(host, port))):
        changing = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind", "metadata")}
        try:
            if await client.find(kind, NAME, NAMESPACE) is None:
                await client.create(kind, wanted)
            else:
                await client.patch(kind, NAME, NAMESPACE, changing)
        except errors.Invalid as problem:
            log.warning("the %s default/kubernetes is somebody's own and stays as it is: %s", kind.kind, problem)
        except errors.ApiError as problem:
            log.warning("the %s default/kubernetes does not say where the server is: %s", kind.kind, problem)


def _service(port: int) -> Object:
    ports = [{"name": _PORT_NAME, "port": port, "protocol": "TCP", "targetPort": port}]
    labels = {"component": "apiserver", "provider": "kubernetes"}
    return SERVICE.new(NAME, NAMESPACE, spec={"clusterIP": HEADLESS, "ports": ports}, metadata={"labels": labels})


def _slice(host: str, port: int) -> Object:
    return ENDPOINT_SLICE.new(
        NAME,
        NAMESPACE,
        metadata={"labels": {"kubernetes.io/service-name": NAME}},
        addressType=f"IPv{ipaddress.ip_address(host).version}",
        endpoints=[{"addresses": [host], "conditions": {"ready": True}}],
        ports=[{"name": _PORT_NAME, "port": port, "protocol": "TCP"}],
    )
