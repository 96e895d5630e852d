"""Forgetting what was cached: the steps run again the next time, and what they made stays."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer
from fairway.pipelines.api.context import Context
from fairway.pipelines.tables import cache_entries


class Cache:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return (Route("DELETE", "/apis/v2beta1/cache", self._delete),)

    async def _delete(self, request: web.Request) -> web.Response:
        """All of it, or what was cached for a pipeline or in a namespace."""
        caller, where = request[IDENTITY], []
        asked = messages.storable(request.query.get("namespace", ""), "namespace")
        if caller.bound_to and caller.bound_to != asked:
            raise errors.Forbidden(f"{caller.user} may forget what was cached with namespace={caller.bound_to} only")
        if name := messages.storable(request.query.get("pipeline_name", ""), "pipeline_name"):
            where.append(cache_entries.c.pipeline_name == name)
        if asked:  # and no other, as where lists are asked for: a misspelt name forgets nothing
            where.append(cache_entries.c.namespace == asked)

        def delete(connection: Connection) -> int:
            return connection.execute(cache_entries.delete().where(*where)).rowcount

        return answer({"deleted": await self._context.records.write(delete)})
