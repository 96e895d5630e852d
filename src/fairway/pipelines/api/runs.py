"""Runs: created from a package or a version, listed, archived, deleted. What is asked of one that runs: `control`.

Creating writes the record first and answers after it is durable; the Run object follows (`starting`), so that a
server that dies in between starts the run when it is back. The engine writes everything that happens later.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping, func, select

from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors
from fairway.pipelines import removing
from fairway.pipelines.api import creating, messages
from fairway.pipelines.api.answers import Failed, answer, compact, error_of, moment
from fairway.pipelines.api.context import Context, changed, existing, row
from fairway.pipelines.api.listing import LARGEST_PAGE, Listed, order_of, page
from fairway.pipelines.api.task_messages import details_of_run, of_runs
from fairway.pipelines.api.versions import kept, weights
from fairway.pipelines.tables import experiments, run_states, runs, tasks

LISTED = Listed(
    runs,
    {
        "created_at": runs.c.created_at,
        "run_id": runs.c.id,
        "id": runs.c.id,
        "display_name": runs.c.display_name,
        "name": runs.c.display_name,
        "finished_at": runs.c.finished_at,
        "scheduled_at": runs.c.scheduled_at,
        "description": runs.c.description,
        "storage_state": runs.c.storage_state,
        "state": runs.c.state,
        "status": runs.c.state,
        "namespace": runs.c.namespace,
        "experiment_id": runs.c.experiment_id,
        "recurring_run_id": runs.c.recurring_run_id,
        "pipeline_id": runs.c.pipeline_id,
        "pipeline_name": runs.c.pipeline_name,
        "trigger_id": runs.c.trigger_id,
    },
    filters={"pipeline_version_id": runs.c.pipeline_version_id},
    ranked=True,
    words={"state": str.upper, "status": str.upper, "storage_state": str.upper},
    orders={
        "description": (runs.c.description_head,),
        "storage_state": (runs.c.storage_state, runs.c.created_at),
        "state": (runs.c.state, runs.c.created_at),
        "status": (runs.c.state, runs.c.created_at),
        "namespace": (runs.c.namespace, runs.c.created_at),
        "experiment_id": (runs.c.experiment_id, runs.c.created_at),
        "recurring_run_id": (runs.c.recurring_run_id, runs.c.scheduled_at),
        "pipeline_id": (runs.c.pipeline_id, runs.c.created_at),
        "pipeline_name": (runs.c.pipeline_name, runs.c.created_at),
        "trigger_id": (runs.c.trigger_id, runs.c.created_at),
    },
)
_FULL_PAGE = 100
_TASK = 4096
"""About the bytes of a task."""


class Runs:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/runs/{id}"
        return (
            Route("GET", "/apis/v2beta1/runs", self._list),
            Route("POST", "/apis/v2beta1/runs", self._create),
            Route("GET", one, self._get),
            Route("DELETE", one, self._delete),
            Route("POST", f"{one}:archive", self._archive),
            Route("POST", f"{one}:unarchive", self._unarchive),
        )

    async def _list(self, request: web.Request) -> web.Response:
        full = _full(request)
        order = order_of(request, LISTED, most=_FULL_PAGE if full else LARGEST_PAGE)
        where, experiment = [], messages.storable(request.query.get("experiment_id", ""), "experiment_id")
        if experiment:
            where.append(runs.c.experiment_id == experiment)
        if request.query.get("namespace"):
            where.append(runs.c.namespace == await self._context.namespace(request.query["namespace"]))

        def read(connection: Connection) -> dict[str, Any]:
            found = page(connection, LISTED, order, *where, weigh=partial(_weights, full=full))
            if experiment and not found.rows:
                existing(connection, experiments, experiment, "experiment")
            shown = _messages(connection, found.rows)
            if "view" in request.query:
                _as_3(connection, shown, full=full)
            return found.wire("runs", shown)

        return answer(await self._context.records.read(read))

    async def _create(self, request: web.Request) -> web.Response:
        fields = await messages.read(request, "Run")
        if request.query.get("experiment_id") and not fields.get("experiment_id"):
            fields["experiment_id"] = request.query["experiment_id"]
        id_ = await creating.create(self._context, fields, request[IDENTITY])
        self._context.wake.set()
        return answer(await self._context.records.read(lambda connection: one(connection, id_)))

    async def _get(self, request: web.Request) -> web.Response:
        id_, full = request.match_info["id"], _full(request)

        def read(connection: Connection) -> dict[str, Any]:
            message = one(connection, id_)
            message["run_details"] = {"task_details": details_of_run(connection, id_)}
            if "view" in request.query:
                _as_3(connection, [message], full=full)
            return message

        return answer(await self._context.records.read(read))

    async def _delete(self, request: web.Request) -> web.Response:
        """With `artifacts=true` what its steps made goes too, as far as nothing else uses it."""
        id_, with_artifacts = request.match_info["id"], request.query.get("artifacts", "false")
        if with_artifacts not in ("true", "false"):
            raise errors.BadRequest(f"artifacts is {with_artifacts!r}, and must be true or false")
        found = await self._context.records.read(lambda connection: existing(connection, runs, id_, "run"))
        namespace, goes = found["object_namespace"], with_artifacts == "true"
        await removing.forget(self._context, id_, namespace, with_artifacts=goes)
        return answer({})

    async def _archive(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]

        def archive(connection: Connection) -> None:
            existing(connection, runs, id_, "run")
            changed(connection, runs, id_, storage_state="ARCHIVED")

        await self._context.records.write(archive)
        return answer({})

    async def _unarchive(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]

        def unarchive(connection: Connection) -> None:
            found = existing(connection, runs, id_, "run")
            experiment = row(connection, experiments, found["experiment_id"])
            if experiment is not None and experiment["storage_state"] == "ARCHIVED":
                raise Failed("the run's experiment is archived; unarchive the experiment first")
            changed(connection, runs, id_, storage_state="AVAILABLE")

        await self._context.records.write(unarchive)
        return answer({})


def one(connection: Connection, id_: str) -> dict[str, Any]:
    """The message of a run. Raises NotFound."""
    return _messages(connection, [existing(connection, runs, id_, "run")])[0]


def _full(request: web.Request) -> bool:
    view = request.query.get("view", "DEFAULT").upper()
    if view not in ("DEFAULT", "FULL"):
        raise errors.BadRequest(f"view must be DEFAULT or FULL, not {view!r}")
    return view == "FULL"


def _as_3(connection: Connection, shown: Sequence[dict[str, Any]], *, full: bool) -> None:
    """Add what KFP 3.0 has in its runs. Its clients say which view they want, and those of 2.17 do not."""
    ids = [message["run_id"] for message in shown]
    counts = _counts(connection, ids)
    of_each = of_runs(connection, ids) if full else {}
    for message in shown:
        id_ = message["run_id"]
        reference = message.get("pipeline_version_reference")
        message |= compact({"task_count": counts.get(id_), "pipeline_reference": reference, "tasks": of_each.get(id_)})


def _counts(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """How many tasks each run has."""
    query = select(tasks.c.run_id, func.count()).where(tasks.c.run_id.in_(ids)).group_by(tasks.c.run_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def _weights(connection: Connection, rows: Sequence[RowMapping], *, full: bool) -> list[int]:
    """What comes with each run: its package, and all its tasks where they are asked for."""
    packages = weights(connection, rows, "pipeline_version_id")
    counts = _counts(connection, [row["id"] for row in rows]) if full else {}
    return [weight + counts.get(row["id"], 0) * _TASK for weight, row in zip(packages, rows, strict=True)]


def _messages(connection: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    # Runs of a version give its reference, runs of a package the package.
    digests = {found["spec_digest"] for found in rows if not found["pipeline_version_id"]}
    specs = {digest: kept(connection, digest).wire() for digest in digests}
    history: dict[str, list[dict[str, Any]]] = {found["id"]: [] for found in rows}
    query = select(run_states).where(run_states.c.run_id.in_(history)).order_by(run_states.c.number)
    for state in connection.execute(query).mappings():
        history[state["run_id"]].append(
            compact({"update_time": moment(state["at"]), "state": state["state"], "error": error_of(state)})
        )
    return [_message(found, specs.get(found["spec_digest"]), history[found["id"]]) for found in rows]


def _message(found: RowMapping, spec: dict[str, Any] | None, history: list[dict[str, Any]]) -> dict[str, Any]:
    version = {"pipeline_id": found["pipeline_id"], "pipeline_version_id": found["pipeline_version_id"]}
    message = compact(
        {
            "experiment_id": found["experiment_id"],
            "run_id": found["id"],
            "display_name": found["display_name"],
            "storage_state": found["storage_state"],
            "description": found["description"],
            "pipeline_version_reference": version if found["pipeline_version_id"] else None,
            "pipeline_spec": spec,
            "runtime_config": compact({"pipeline_root": found["pipeline_root"]}),
            "service_account": found["service_account"],
            "created_at": moment(found["created_at"]),
            "scheduled_at": moment(found["scheduled_at"]),
            "finished_at": moment(found["finished_at"]),
            "state": found["state"],
            "error": error_of(found),
            "recurring_run_id": found["recurring_run_id"],
            "trigger_id": found["trigger_id"],
            "source_run_id": found["source_run_id"],
            "late_at": moment(found["late_at"]) if found["late_at"] else None,
            "late": bool(found["told_late_at"]),
            "external": found["external"],
            "state_history": history,
        }
    )
    if found["parameters"]:
        message.setdefault("runtime_config", {})["parameters"] = found["parameters"]
    return message
