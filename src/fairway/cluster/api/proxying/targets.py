"""What a proxied request is for: `[SCHEME:]NAME[:PORT]` of a pod or a Service, as an address, and the path beyond."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.cluster.store.protocol import Key
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import ENDPOINTS, POD, Object

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

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def target(backend: Backend, call: Call, raw_path: str) -> Target:
    """Raises ApiError where nothing can be reached."""
    scheme, name, port = _parts(call)
    place, path = split(raw_path)
    if call.served.storage == POD.resource:
        host, number = _pod(_found(backend, call, name), port)
    else:
        host, number = _service(backend, _found(backend, call, name), port)
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


def _found(backend: Backend, call: Call, name: str) -> Object:
    record = backend.store.get(Key(call.served.storage, call.namespace, name))
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


def _service(backend: Backend, service: Object, port: str) -> tuple[str, int]:
    """One of its ready endpoints, as upstream has it, and not the Service's own address."""
    metadata = service["metadata"]
    name = metadata["name"]
    wanted = _port_name(service, port)
    record = backend.store.get(Key(ENDPOINTS.resource, metadata["namespace"], name))
    found = [
        (str(address["ip"]), int(each["port"]))
        for subset in (record.object.get("subsets") if record else None) or ()
        for each in subset.get("ports") or ()
        if (each.get("name") or "") == wanted
        for address in subset.get("addresses") or ()
    ]
    if not found:
        raise errors.Unavailable(f'no endpoints available for service "{name}"')
    return random.choice(found)  # noqa: S311 - no secret


def _port_name(service: Object, port: str) -> str:
    """The name of the port that is meant, by name or number; the only one where none is said."""
    ports = service["spec"].get("ports") or ()
    for each in ports:
        if port in (each.get("name") or "", str(each["port"])) or (not port and len(ports) == 1):
            return str(each.get("name") or "")
    text = f'no service port {port or "without a name"!r} found for service "{service["metadata"]["name"]}"'
    raise errors.Unavailable(text)


def _number(port: str, by_name: dict[str, int]) -> int:
    if port in by_name:
        return int(by_name[port])
    if port.isdecimal() and 0 < int(port) < 65536:
        return int(port)
    raise errors.BadRequest(f'invalid port "{port}"')
