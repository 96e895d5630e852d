"""Tasks of runs, listed and read as KFP 3.0 does it, and found again by what they were given (its cache).

The engine writes them; those of runs that somebody else plays come by `reporting`. `task_messages` says how they look.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, RowMapping, select

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.api.task_messages import of_tasks
from fairway.pipelines.tables import cache_entries, runs, tasks

LISTED = Listed(
    tasks,
    {
        "created_at": tasks.c.created_at,
        "create_time": tasks.c.created_at,
        "task_id": tasks.c.id,
        "id": tasks.c.id,
        "name": tasks.c.name,
        "display_name": tasks.c.display_name,
        "state": tasks.c.state,
        "status": tasks.c.state,
        "type": tasks.c.type,
        "parent_task_id": tasks.c.parent_task_id,
        "run_id": tasks.c.run_id,
        "cache_fingerprint": tasks.c.fingerprint,
        "scope_path": tasks.c.scope_path,
    },
    words={"state": str.upper, "status": str.upper, "type": str.upper},
)


class Tasks:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/apis/v2beta1/runs/{run}/tasks", self._list),
            Route("GET", "/apis/v2beta1/runs/{run}/tasks/{id}", self._get),
            Route("POST", "/apis/v2beta1/tasks:findCached", self._find_cached),
        )

    async def _list(self, request: web.Request) -> web.Response:
        run = request.match_info["run"]
        order = order_of(request, LISTED, sort="order_by" if "order_by" in request.query else "sort_by")
        where: list[ColumnElement[bool]] = [tasks.c.run_id == run]
        parent = messages.storable(request.query.get("parent_id", ""), "parent_id")
        if parent:
            where.append(tasks.c.parent_task_id == parent)

        def read(connection: Connection) -> dict[str, Any]:
            existing(connection, runs, run, "run")
            if parent:
                task_of(connection, run, parent)
            found = page(connection, LISTED, order, *where)
            return found.wire("tasks", of_tasks(connection, found.rows))

        return answer(await self._context.records.read(read))

    async def _get(self, request: web.Request) -> web.Response:
        run, id_ = request.match_info["run"], request.match_info["id"]

        def read(connection: Connection) -> dict[str, Any]:
            return of_tasks(connection, [task_of(connection, run, id_)])[0]

        return answer(await self._context.records.read(read))

    async def _find_cached(self, request: web.Request) -> web.Response:
        """The newest task with a fingerprint that succeeded in a namespace, or nothing."""
        asked = await messages.read(request, "FindCachedTaskRequest")
        fingerprint = messages.required_name(asked, "cache_fingerprint", limit=64)
        namespace = await self._context.namespace(messages.text(asked, "namespace"))
        query = (
            select(tasks)
            .join(cache_entries, cache_entries.c.task_id == tasks.c.id)
            .where(cache_entries.c.fingerprint == fingerprint, cache_entries.c.namespace == namespace)
            .order_by(cache_entries.c.number.desc())
            .limit(1)
        )

        def read(connection: Connection) -> dict[str, Any]:
            found = connection.execute(query).mappings().all()
            return {"task": of_tasks(connection, found)[0]} if found else {}

        return answer(await self._context.records.read(read))


def task_of(connection: Connection, run: str, id_: str) -> RowMapping:
    """A task of a run. Raises NotFound."""
    found = existing(connection, tasks, id_, "task")
    if found["run_id"] != run:
        raise errors.NotFound(f'the run "{run}" has no task "{id_}"')
    return found
