"""The verbs of the Kubernetes API, over a transport.

Given objects are never changed; returned objects are shared and must not be changed either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from fairway.kernel.client.transport import JSON_PATCH, MERGE_PATCH, Transport, WatchEvent
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Kind, Object


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a list: the items, and the revision at which they were all true."""

    items: list[Object]
    revision: str
    continue_token: str = ""


class Client:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        return await self.transport.request("GET", kind.path(namespace, name))

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None where there is none."""
        try:
            return await self.get(kind, name, namespace)
        except errors.NotFound:
            return None

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Page:
        """One page, or all of it where `limit` is 0. `labels` and `fields` are selector texts."""
        query = _selection(labels, fields)
        if limit:
            query["limit"] = str(limit)
        if continue_token:
            query["continue"] = continue_token
        answer = await self.transport.request("GET", kind.path(namespace), query=query)
        metadata = answer.get("metadata") or {}
        return Page(
            items=[_named(item, kind) for item in answer.get("items") or ()],
            revision=str(metadata.get("resourceVersion") or ""),
            continue_token=str(metadata.get("continue") or ""),
        )

    async def create(self, kind: Kind, obj: Object, namespace: str | None = None) -> Object:
        where = namespace or obj.get("metadata", {}).get("namespace")
        return await self.transport.request("POST", kind.path(where), body=obj)

    async def update(self, kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        """Replace the object; raises Conflict unless its resourceVersion is the newest."""
        metadata = obj["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self.transport.request("PUT", path, body=obj)

    async def patch(
        self, kind: Kind, name: str, namespace: str | None, patch: Object, *, subresource: str = ""
    ) -> Object:
        """JSON merge patch: None removes a field. Put metadata.resourceVersion in it to be told of conflicts."""
        path = kind.path(namespace, name, subresource)
        return await self.transport.request("PATCH", path, body=patch, content_type=MERGE_PATCH)

    async def json_patch(
        self, kind: Kind, name: str, namespace: str | None, operations: Sequence[Object], *, subresource: str = ""
    ) -> Object:
        path = kind.path(namespace, name, subresource)
        return await self.transport.request("PATCH", path, body=operations, content_type=JSON_PATCH)

    async def patch_status(self, kind: Kind, name: str, namespace: str | None, status: Object) -> Object:
        """Merge `status` into the object's status."""
        return await self.patch(kind, name, namespace, {"status": status}, subresource="status")

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
        uid: str = "",
        revision: str = "",
    ) -> bool:
        """Ask for the end of an object; False where there was none. Its end may take a while (finalizers, grace).

        Raises Conflict where the object has another uid, or changed since that revision.
        """
        if not name:
            raise ValueError(f"no name says which of the {kind.plural} is to go, and without one they all would")
        options: Object = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid or revision:
            named = {"uid": uid, "resourceVersion": revision}
            options["preconditions"] = {word: value for word, value in named.items() if value}
        try:
            await self.transport.request("DELETE", kind.path(namespace, name), body=options)
        except errors.NotFound:
            return False
        return True

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str = "",
        labels: str = "",
        fields: str = "",
        timeout_seconds: int = 0,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events after revision `since`; without it, ADDED for what exists comes first. One stream, no resume."""
        query = {**_selection(labels, fields), "watch": "true", "allowWatchBookmarks": "true"}
        if since:
            query["resourceVersion"] = since
        if timeout_seconds:
            query["timeoutSeconds"] = str(timeout_seconds)
        return self.transport.watch(kind.path(namespace), query)

    def logs(
        self,
        pod: str,
        namespace: str,
        *,
        container: str = "",
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        query: dict[str, str] = {}
        if container:
            query["container"] = container
        if follow:
            query["follow"] = "true"
        if previous:
            query["previous"] = "true"
        if tail is not None:
            query["tailLines"] = str(tail)
        return self.transport.stream(POD.path(namespace, pod, "log"), query)

    async def wait(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        until: Callable[[Object | None], bool],
        *,
        timeout: float = 60.0,
    ) -> Object | None:
        """Watch one object until `until(object)` holds; it is given None while (or once) there is none.

        Raises TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                found = await self.list(kind, namespace, fields=f"metadata.name={name}")
                current = found.items[0] if found.items else None
                if until(current):
                    return current
                selection = f"metadata.name={name}"
                try:
                    events = self.watch(kind, namespace, since=found.revision, fields=selection)
                    async with aclosing(events):
                        async for event in events:
                            if event.type == "BOOKMARK":
                                continue
                            current = None if event.type == "DELETED" else event.object
                            if until(current):
                                return current
                except errors.Expired:
                    continue

    async def close(self) -> None:
        await self.transport.close()


def _selection(labels: str, fields: str) -> dict[str, str]:
    query: dict[str, str] = {}
    if labels:
        query["labelSelector"] = labels
    if fields:
        query["fieldSelector"] = fields
    return query


def _named(item: Object, kind: Kind) -> Object:
    """Items of built-in lists come without apiVersion and kind; give them theirs."""
    if "kind" in item and "apiVersion" in item:
        return item
    return {"apiVersion": kind.api_version, "kind": kind.kind, **item}
