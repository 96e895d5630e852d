"""What a pod's status says of its containers, of those that run before the others first. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.kernel.objects.kinds import Object


def of_containers(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def of_container(pod: Object, name: str) -> Object:
    """Empty where nothing is said of it."""
    return next((one for one in of_containers(pod) if one.get("name") == name), {})
