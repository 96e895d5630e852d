"""Which kinds the API serves, asked of the API, so that namespaces and garbage know custom kinds too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import Kind


async def kinds(client: Client, *, verbs: Iterable[str]) -> list[Kind]:
    """Every kind that offers all of `verbs`, in its group's preferred version or else in the first that has it; each
    stored object under one kind only.

    Events are served by two groups; the older one is meant.
    """
    needed = set(verbs)
    found: dict[str, Kind] = {}
    for version in await _versions(client):
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        answer = await client.transport.request("GET", root)
        group, _, number = version.rpartition("/")
        for resource in answer.get("resources") or ():
            if _offers(resource, needed) and (resource["name"], group) != ("events", "events.k8s.io"):
                kind = Kind(group, number, resource["kind"], resource["name"], bool(resource["namespaced"]))
                found.setdefault(kind.resource, kind)
    return list(found.values())


async def _versions(client: Client) -> list[str]:
    """Of each group all that it serves, the preferred one first: not every kind of a group is in that one."""
    answer = await client.transport.request("GET", "/apis")
    found = ["v1"]
    for group in answer.get("groups") or ():
        served = [version["groupVersion"] for version in group.get("versions") or ()]
        found += dict.fromkeys((group["preferredVersion"]["groupVersion"], *served))
    return found


def _offers(resource: dict[str, Any], verbs: set[str]) -> bool:
    return "/" not in resource["name"] and verbs <= set(resource.get("verbs") or ())
