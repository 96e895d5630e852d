"""Steps that stop for a look: telling one to go on."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection, RowMapping

from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors
from fairway.pipelines import stopping
from fairway.pipelines.api.answers import Failed, answer
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.tasks import task_of
from fairway.pipelines.tables import runs


class Stops:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return (Route("POST", "/apis/v2beta1/runs/{run}/tasks/{id}:continue", self._continue),)

    async def _continue(self, request: web.Request) -> web.Response:
        run, id_, caller = request.match_info["run"], request.match_info["id"], request[IDENTITY]

        def read(connection: Connection) -> RowMapping:
            found = existing(connection, runs, run, "run")
            if caller.bound_to not in ("", found["object_namespace"]):
                raise errors.Forbidden(f"{caller.user} may act in the namespace {caller.bound_to} only")
            return task_of(connection, run, id_)

        task = await self._context.records.read(read)
        artifacts, folder = self._context.artifacts, task["folder"]
        if not folder or await artifacts.find(f"{folder}/{stopping.STOPPED}") is None:
            raise Failed(f"the step {task['display_name'] or task['name']!r} does not stand still")
        await artifacts.put(f"{folder}/{stopping.CONTINUE}", b"")
        return answer({})
