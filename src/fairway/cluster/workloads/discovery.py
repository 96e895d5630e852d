"""Which kinds the API serves, asked of the API, so that namespaces and garbage know custom kinds too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Kind, Object


@dataclass(frozen=True, slots=True)
class Found:
    kinds: list[Kind]
    silent: dict[str, str]
    """Group versions whose server does not answer, with what it said instead."""


async def kinds(client: Client, *, verbs: Iterable[str]) -> list[Kind]:
    """Every kind that offers all of `verbs`, in its group's preferred version or else in the first that has it; each
    stored object under one kind only.

    Events are served by two groups; the older one is meant.
    """
    return (await found(client, verbs=verbs)).kinds


async def found(client: Client, *, verbs: Iterable[str]) -> Found:
    """The same, and what could not be found out: one server behind the API that is down hides nobody else's kinds."""
    needed, silent = set(verbs), dict[str, str]()
    kinds: dict[str, Kind] = {}
    for version in await _versions(client):
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            answer = await client.transport.request("GET", root)
        except errors.ApiError as failure:
            silent[version] = str(failure)
            continue
        try:
            for kind in _offered(version, answer, needed):
                kinds.setdefault(kind.resource, kind)
        except (KeyError, TypeError, AttributeError):
            silent[version] = "what its server lists are no resources"
    return Found(list(kinds.values()), silent)


async def _versions(client: Client) -> list[str]:
    """Of each group all that it serves, the preferred one first: not every kind of a group is in that one."""
    answer = await client.transport.request("GET", "/apis")
    found = ["v1"]
    for group in answer.get("groups") or ():
        served = [version["groupVersion"] for version in group.get("versions") or ()]
        found += dict.fromkeys((group["preferredVersion"]["groupVersion"], *served))
    return found


def _offered(version: str, answer: Object, verbs: set[str]) -> Iterator[Kind]:
    group, _, number = version.rpartition("/")
    for resource in answer.get("resources") or ():
        if _offers(resource, verbs) and (resource["name"], group) != ("events", "events.k8s.io"):
            yield Kind(group, number, resource["kind"], resource["name"], bool(resource["namespaced"]))


def _offers(resource: dict[str, Any], verbs: set[str]) -> bool:
    return "/" not in resource["name"] and verbs <= set(resource.get("verbs") or ())
