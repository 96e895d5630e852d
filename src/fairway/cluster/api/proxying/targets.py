"""What a proxied request is for: `[SCHEME:]NAME[:PORT]` of a pod or a Service, as an address, and the path beyond."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

from fairway.cluster.api import endpoints
from fairway.cluster.api.calls import Call
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Object

_SCHEMES = ("", "http", "https")
_PLACE = re.compile(r"/+api/+v1/+(?:namespaces/+[^/]+/+)?[^/]+/+[^/]+/+proxy(?=/|$)")


@dataclass(frozen=True, slots=True)
class Target:
    """`place` is where the proxy begins in the request's own path, `path` what comes after it, both still quoted."""

    scheme: str
    host: str
    port: int
    place: str
    path: str
    tls: ssl.SSLContext | None = None
    """How a connection over TLS is made; None where nobody vouches for the other side: of pods nobody does."""
    server_name: str | None = None
    """The name in the certificate, where it is not the host."""
    sender: tuple[tuple[str, str], ...] = ()
    """Headers that say who asks, for a server that believes them from here."""

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def target(store: Store, call: Call, raw_path: str) -> Target:
    """Raises ApiError where nothing can be reached."""
    scheme, name, port = _parts(call)
    place, path = split(raw_path)
    if call.served.storage == POD.resource:
        host, number = _pod(_found(store, call, name), port)
    else:
        host, number = _service(store, _found(store, call, name), port)
    return Target(scheme or "http", host, number, place, path)


def split(raw_path: str) -> tuple[str, str]:
    """
    >>> split("/api/v1/namespaces/n/pods/p:80/proxy/a%20b/")
    ('/api/v1/namespaces/n/pods/p:80/proxy', '/a%20b/')
    >>> split("/api/v1/namespaces/n/pods/p/proxy")
    ('/api/v1/namespaces/n/pods/p/proxy', '')
    """
    found = _PLACE.match(raw_path)
    if found is None:
        raise errors.BadRequest("the path of a proxied request is /api/v1/[namespaces/NAME/]KIND/NAME/proxy/...")
    return found[0], raw_path[found.end() :]


def _parts(call: Call) -> tuple[str, str, str]:
    """(scheme, name, port) of the name in the path."""
    scheme, name, port = "", call.name, ""
    words = call.name.split(":")
    if len(words) == 2:
        name, port = words
    elif len(words) == 3:
        scheme, name, port = words
    if not name or len(words) > 3 or scheme not in _SCHEMES:
        raise errors.BadRequest(f'invalid {call.served.resource.singular} request "{call.name}"')
    return scheme, name, port


def _found(store: Store, call: Call, name: str) -> Object:
    record = store.get(Key(call.served.storage, call.namespace, name))
    if record is None:
        raise errors.not_found(call.served.label, name)
    return record.object


def _pod(pod: Object, port: str) -> tuple[str, int]:
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        raise errors.Unavailable(f'pod "{pod["metadata"]["name"]}" has no address yet')
    ports = [each for container in pod["spec"].get("containers") or () for each in container.get("ports") or ()]
    if not port:
        return str(address), int(ports[0]["containerPort"]) if ports else 80
    return str(address), _number(port, {each.get("name"): each["containerPort"] for each in ports})


def _service(store: Store, service: Object, port: str) -> tuple[str, int]:
    """One of its ready endpoints, as upstream has it, and not the Service's own address."""
    try:
        return endpoints.behind(store, service, port)
    except endpoints.NoEndpoint as nobody:
        raise errors.Unavailable(str(nobody)) from None


def _number(port: str, by_name: dict[str, int]) -> int:
    if port in by_name:
        return int(by_name[port])
    if port.isdecimal() and 0 < int(port) < 65536:
        return int(port)
    raise errors.BadRequest(f'invalid port "{port}"')
