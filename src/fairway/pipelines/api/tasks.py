"""Tasks of runs, in both vocabularies: `run_details.task_details` of KFP 2.17, and the task records of 3.0."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, RowMapping, select

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api.answers import answer, compact, error_of, moment
from fairway.pipelines.api.artifacts import linked
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.tables import artifacts, runs, task_artifacts, tasks

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

_STATES_2 = {"CACHED": "SUCCEEDED"}
"""2.17 has no word for a step that was taken from the cache."""


@dataclass
class Links:
    """The artifacts of one task, by the name of the input or output."""

    inputs: dict[str, list[RowMapping]] = field(default_factory=lambda: defaultdict(list))
    outputs: dict[str, list[RowMapping]] = field(default_factory=lambda: defaultdict(list))


class Tasks:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/apis/v2beta1/runs/{run}/tasks", self._list),
            Route("GET", "/apis/v2beta1/runs/{run}/tasks/{id}", self._get),
        )

    async def _list(self, request: web.Request) -> web.Response:
        run = request.match_info["run"]
        order = order_of(request, LISTED, sort="order_by" if "order_by" in request.query else "sort_by")
        where: list[ColumnElement[bool]] = [tasks.c.run_id == run]
        if request.query.get("parent_id"):
            where.append(tasks.c.parent_task_id == request.query["parent_id"])

        def read(connection: Connection) -> dict[str, Any]:
            existing(connection, runs, run, "run")
            found = page(connection, LISTED, order, *where)
            return found.wire("tasks", _messages(connection, found.rows))

        return answer(await self._context.records.read(read))

    async def _get(self, request: web.Request) -> web.Response:
        run, id_ = request.match_info["run"], request.match_info["id"]

        def read(connection: Connection) -> dict[str, Any]:
            found = existing(connection, tasks, id_, "task")
            if found["run_id"] != run:
                raise errors.NotFound(f'the run "{run}" has no task "{id_}"')
            return _messages(connection, [found])[0]

        return answer(await self._context.records.read(read))


def tasks_of_run(connection: Connection, run: str) -> list[dict[str, Any]]:
    """All tasks of a run as 3.0 gives them, oldest first."""
    return _messages(connection, _rows(connection, run))


def details_of_run(connection: Connection, run: str) -> list[dict[str, Any]]:
    """All tasks of a run as 2.17 gives them, oldest first."""
    rows = _rows(connection, run)
    links = _links(connection, task_artifacts.c.run_id == run)
    children = _children(rows)
    return [_detail(row, links[row["id"]], children.get(row["id"], ())) for row in rows]


def _rows(connection: Connection, run: str) -> Sequence[RowMapping]:
    query = select(tasks).where(tasks.c.run_id == run).order_by(tasks.c.created_at, tasks.c.id)
    return connection.execute(query).mappings().all()


def _links(connection: Connection, where: ColumnElement[bool]) -> Mapping[str, Links]:
    found: dict[str, Links] = defaultdict(Links)
    columns = (
        *task_artifacts.c,
        artifacts.c.name,
        artifacts.c.uri,
        artifacts.c.metadata,
        artifacts.c.number_value,
        artifacts.c.namespace,
        artifacts.c.description,
        artifacts.c.created_at,
        artifacts.c.type.label("artifact_type"),
    )
    joined = task_artifacts.join(artifacts, artifacts.c.id == task_artifacts.c.artifact_id)
    query = select(*columns).select_from(joined).where(where).order_by(task_artifacts.c.key, task_artifacts.c.position)
    for row in connection.execute(query).mappings():
        side = found[row["task_id"]].outputs if row["output"] else found[row["task_id"]].inputs
        side[row["key"]].append(row)
    return found


def _children(rows: Iterable[RowMapping]) -> dict[str, list[RowMapping]]:
    children: dict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        if row["parent_task_id"]:
            children[row["parent_task_id"]].append(row)
    return children


def _detail(row: RowMapping, links: Links, children: Iterable[RowMapping]) -> dict[str, Any]:
    def ids(side: Mapping[str, list[RowMapping]]) -> dict[str, Any]:
        return {key: {"artifact_ids": [link["artifact_id"] for link in found]} for key, found in side.items()}

    return compact(
        {
            "run_id": row["run_id"],
            "task_id": row["id"],
            "display_name": row["display_name"] or row["name"],
            "create_time": moment(row["created_at"]),
            "start_time": moment(row["started_at"] or 0.0),
            "end_time": moment(row["finished_at"] or 0.0),
            "executor_detail": {"main_job": row["pod_name"]} if row["pod_name"] else None,
            "state": _STATES_2.get(row["state"], row["state"]),
            "error": error_of(row),
            "inputs": ids(links.inputs),
            "outputs": ids(links.outputs),
            "parent_task_id": row["parent_task_id"],
            "state_history": _history(row, _STATES_2),
            "pod_name": row["pod_name"],
            "child_tasks": [compact({"task_id": child["id"], "pod_name": child["pod_name"]}) for child in children],
        }
    )


def _messages(connection: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    ids = [row["id"] for row in rows]
    runs_ = {row["run_id"] for row in rows}
    # By run where that is shorter to say: a whole run's tasks are too many for a list of ids.
    of_these = task_artifacts.c.task_id.in_(ids) if len(ids) <= 200 else task_artifacts.c.run_id.in_(runs_)
    links = _links(connection, of_these)
    names = select(tasks.c.id, tasks.c.parent_task_id, tasks.c.name, tasks.c.pod_name)
    below = tasks.c.parent_task_id.in_(ids) if len(ids) <= 200 else tasks.c.run_id.in_(runs_)
    children = _children(connection.execute(names.where(below)).mappings())
    return [_message(row, links[row["id"]], children.get(row["id"], ())) for row in rows]


def _message(row: RowMapping, links: Links, children: Iterable[RowMapping]) -> dict[str, Any]:
    pods = [{"name": row["pod_name"], "type": "EXECUTOR"}] if row["pod_name"] else []
    message = compact(
        {
            "task_id": row["id"],
            "run_id": row["run_id"],
            "name": row["name"],
            "display_name": row["display_name"] or row["name"],
            "type": row["type"],
            "state": row["state"],
            "create_time": moment(row["created_at"]),
            "start_time": moment(row["started_at"]) if row["started_at"] else None,
            "end_time": moment(row["finished_at"]) if row["finished_at"] else None,
            "pods": pods,
            "cache_fingerprint": row["fingerprint"],
            "cached_from_task_id": row["cached_from"],
            "attempts": row["attempts"],
            "status_metadata": compact({"message": row["error_message"]}),
            "error": error_of(row),
            "state_history": _history(row, {}),
            "parent_task_id": row["parent_task_id"],
            "child_tasks": [compact({"task_id": c["id"], "name": c["name"]}) for c in children],
            "inputs": _values(row["inputs"], links.inputs),
            "outputs": _values(row["outputs"], links.outputs),
            "scope_path": row["scope_path"],
        }
    )
    # int64 is text in proto JSON.
    attributes = {name: str(row[name]) for name in ("iteration_index", "iteration_count") if row[name] is not None}
    if attributes:
        message["type_attributes"] = attributes
    return message


def _values(parameters: Mapping[str, Any], links: Mapping[str, list[RowMapping]]) -> dict[str, Any]:
    """One side of a task: its parameters, and its artifacts by key."""
    side: dict[str, Any] = {}
    if parameters:
        side["parameters"] = [{"parameter_key": key, "value": value} for key, value in parameters.items()]
    if links:
        side["artifacts"] = [
            compact(
                {
                    "artifact_key": key,
                    "type": found[0]["type"],
                    "producer": _producer(found[0]),
                    "artifacts": [linked(link) for link in found],
                }
            )
            for key, found in links.items()
        ]
    return side


def _producer(link: RowMapping) -> dict[str, Any]:
    producer = compact({"task_name": link["producer_task_name"]})
    if link["producer_iteration"] is not None:
        producer["iteration"] = str(link["producer_iteration"])
    return producer


def _history(row: RowMapping, words: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"update_time": moment(state["at"]), "state": words.get(state["state"], state["state"])}
        for state in row["states"] or ()
    ]
