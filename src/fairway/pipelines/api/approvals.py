"""Questions of steps to people: listed, and answered. The engine, which asked, reads the answer from the records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, RowMapping, select

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines import approvals
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import Failed, answer, compact, moment
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.render.model import Verdict
from fairway.pipelines.tables import approvals as rows
from fairway.pipelines.tables import runs, tasks

_ASKED = (
    select(rows, rows.c.task_id.label("id"), tasks.c.display_name, tasks.c.scope_path, runs.c.namespace)
    .join(tasks, tasks.c.id == rows.c.task_id)
    .join(runs, runs.c.id == rows.c.run_id)
    .subquery("asked")
)
LISTED = Listed(
    _ASKED,
    {
        "asked_at": _ASKED.c.asked_at,
        "decided_at": _ASKED.c.decided_at,
        "state": _ASKED.c.state,
        "run_id": _ASKED.c.run_id,
        "task_id": _ASKED.c.task_id,
        "namespace": _ASKED.c.namespace,
    },
    default="asked_at",
    words={"state": str.upper},
)
_STATES = (approvals.WAITING, approvals.APPROVED, approvals.REJECTED)
_SAID = {approvals.APPROVED: "approved", approvals.REJECTED: "rejected"}


class Approvals:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        task = "/apis/v2beta1/runs/{run}/tasks/{id}"
        return (
            Route("GET", "/apis/v2beta1/approvals", self._list),
            Route("GET", "/apis/v2beta1/runs/{run}/approvals", self._list),
            Route("POST", f"{task}:approve", self._deciding(True)),
            Route("POST", f"{task}:reject", self._deciding(False)),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order, run = order_of(request, LISTED), request.match_info.get("run")
        where: list[ColumnElement[bool]] = [_ASKED.c.run_id == run] if run else []
        if state := request.query.get("state", "").upper():
            if state not in _STATES:
                raise errors.BadRequest(f"state must be one of {', '.join(_STATES)}, not {state!r}")
            where.append(_ASKED.c.state == state)
        if request.query.get("namespace"):
            where.append(_ASKED.c.namespace == await self._context.namespace(request.query["namespace"]))

        def read(connection: Connection) -> dict[str, Any]:
            if run:
                existing(connection, runs, run, "run")
            found = page(connection, LISTED, order, *where)
            return found.wire("approvals", [_message(row) for row in found.rows])

        return answer(await self._context.records.read(read))

    def _deciding(self, approved: bool) -> Callable[[web.Request], Any]:
        async def decide(request: web.Request) -> web.Response:
            run, task_id, caller = request.match_info["run"], request.match_info["id"], request[IDENTITY]
            fields = await messages.read(request, "Verdict") if request.can_read_body else {}
            verdict = Verdict(approved, caller.user, messages.text(fields, "comment", limit=4096))
            now = self._context.clock.now()

            def write(connection: Connection) -> dict[str, Any]:
                _may_decide(existing(connection, runs, run, "run"), caller)
                if not approvals.decide(connection, run, task_id, verdict, now):
                    raise _why_not(connection, run, task_id)
                return _message(_found(connection, run, task_id))

            decided = await self._context.records.write(write)
            self._context.wake.set()
            return answer(decided)

        return decide


def _may_decide(run: RowMapping, caller: Identity) -> None:
    if caller.bound_to not in ("", run["object_namespace"]):
        raise errors.Forbidden(
            f"{caller.user} may decide in the namespace {caller.bound_to} only, and this run is in "
            f"{run['object_namespace']}"
        )


def _why_not(connection: Connection, run: str, task_id: str) -> errors.ApiError:
    found = _found(connection, run, task_id)
    if found is None:
        return errors.NotFound(f'the run "{run}" asks nothing about a task "{task_id}"')
    return Failed(f"{found['decided_by']} has {_SAID[found['state']]} this already")


def _found(connection: Connection, run: str, task_id: str) -> Any:
    query = select(_ASKED).where(_ASKED.c.run_id == run, _ASKED.c.task_id == task_id)
    return connection.execute(query).mappings().first()


def _message(row: RowMapping) -> dict[str, Any]:
    return compact(
        {
            "task_id": row["task_id"],
            "run_id": row["run_id"],
            "namespace": row["namespace"],
            "display_name": row["display_name"],
            "scope_path": row["scope_path"],
            "message": row["message"],
            "state": row["state"],
            "asked_at": moment(row["asked_at"]),
            "decided_at": moment(row["decided_at"]) if row["decided_at"] else None,
            "decided_by": row["decided_by"],
            "comment": row["comment"],
        }
    )
