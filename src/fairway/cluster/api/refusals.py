"""What this server does not do yet, by name, with a sentence that says what to do instead.

A kind that upstream serves and this server does not is no riddle: its 404 says so.
"""

from __future__ import annotations

from fairway.kernel.objects.errors import MethodNotAllowed, NotFound

_GROUPS = {
    "resource.k8s.io": (
        "dynamic resource allocation is not supported by this server: ask for devices as resources, such "
        "as nvidia.com/gpu"
    ),
}
_SUBRESOURCES = {
    "ephemeralcontainers": "ephemeral containers are not supported by this server yet: start another pod",
    "resize": "resizing a running pod is not supported by this server yet: create another one in its place",
}


def unknown_resource(group: str, version: str, plural: str) -> NotFound:
    text = _GROUPS.get(group) or "the server could not find the requested resource"
    return NotFound(text, details={"group": group, "kind": plural} if group else {"kind": plural})


def unknown_subresource(resource: str, name: str) -> NotFound | MethodNotAllowed:
    text = _SUBRESOURCES.get(name.partition("/")[0])
    if text:
        return MethodNotAllowed(text)
    return NotFound(f"the server could not find the requested resource: {resource} has no subresource {name!r} here")


def no_such_path() -> NotFound:
    return NotFound("the server could not find the requested resource")
