"""The Kubernetes API for the dashboard: look at anything but secrets, follow logs, delete pods, services and graphs.

Requests go through the platform's client, so this works in front of any cluster. That client may do everything,
which is why the guard lets only owners come here, and why what passes is parsed and listed, never forwarded as
it came.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import orjson
from aiohttp import web

from fairway.front import streams
from fairway.front.routing import Access, Entry
from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors

_LIST_QUERY = frozenset(
    {"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "timeoutSeconds", "allowWatchBookmarks"}
)
_LOG_QUERY = frozenset({"container", "follow", "previous", "tailLines", "sinceSeconds", "timestamps"})
_DELETABLE = frozenset({"pods", "inferenceservices.serving.kserve.io", "inferencegraphs.serving.kserve.io"})

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?"
_PATH = re.compile(
    rf"(?P<root>api/v1|apis/(?P<group>{_NAME})/{_NAME})"
    rf"(?:/namespaces/{_NAME}(?=/{_NAME}))?"
    rf"/(?P<plural>{_NAME})(?:/(?P<name>{_NAME})(?:/(?P<subresource>{_NAME}))?)?"
)


@dataclass(frozen=True)
class Target:
    """What a path names."""

    path: str
    resource: str
    name: str
    subresource: str


def parse(path: str) -> Target:
    """
    >>> parse("apis/apps/v1/namespaces/default/deployments/web").resource
    'deployments.apps'
    """
    found = _PATH.fullmatch(path)
    if not found or ".." in path or found["plural"] == "watch":  # an old prefix, behind which stands another resource
        raise errors.BadRequest(f"/{path} is not the path of a Kubernetes resource.")
    group = found["group"]
    resource = f"{found['plural']}.{group}" if group else found["plural"]
    return Target(f"/{path}", resource, found["name"] or "", found["subresource"] or "")


class Kubernetes:
    def __init__(self, client: Client) -> None:
        self._client = client

    def routes(self) -> list[Entry]:
        return [
            Entry("GET", "/k8s/{path:.+}", self.look, Access.OWNER),
            Entry("DELETE", "/k8s/{path:.+}", self.delete, Access.OWNER),
        ]

    async def look(self, request: web.Request) -> web.StreamResponse:
        target = parse(request.match_info["path"])
        if target.resource == "secrets":
            raise errors.Forbidden("Secrets are not shown here; use `kubectl get secret`.")
        if (target.resource, target.subresource) == ("pods", "log"):
            return await self._logs(request, target)
        if target.subresource not in {"", "status"}:
            raise errors.Forbidden(f"The subresource {target.subresource!r} is not offered here; use kubectl.")
        query = {name: value for name, value in request.query.items() if name in _LIST_QUERY}
        if request.query.get("watch") in {"true", "1"}:
            lines = self._events(target.path, {**query, "watch": "true"})
            return await streams.send(request, lines, content_type="application/json")
        return _json(await self._client.transport.request("GET", target.path, query=query))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        target = parse(request.match_info["path"])
        if target.resource not in _DELETABLE or not target.name or target.subresource:
            raise errors.Forbidden(
                f"Only pods, InferenceServices and InferenceGraphs can be deleted here; use kubectl for {target.path}."
            )
        options = {"propagationPolicy": "Background"}
        return _json(await self._client.transport.request("DELETE", target.path, body=options))

    async def _logs(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = {name: value for name, value in request.query.items() if name in _LOG_QUERY}
        chunks = self._client.transport.stream(target.path, query)
        return await streams.send(request, chunks, content_type="text/plain; charset=utf-8")

    async def _events(self, path: str, query: dict[str, str]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._client.transport.watch(path, query)) as events:
                async for event in events:
                    yield orjson.dumps({"type": event.type, "object": event.object}, option=orjson.OPT_APPEND_NEWLINE)
        except errors.ApiError as failure:
            # As Kubernetes says it, so that a watcher knows when it has to list again.
            yield orjson.dumps({"type": "ERROR", "object": failure.status()}, option=orjson.OPT_APPEND_NEWLINE)


def _json(body: object) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")
