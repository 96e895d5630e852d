"""How tasks look: as `run_details.task_details` of KFP 2.17, and as the task records of 3.0.

Many tasks at once are a few queries, whatever their number. A state that 3.0 has no word for (PENDING, CANCELED) is
given in the words of runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from fairway.pipelines.api.answers import compact, error_of, moment
from fairway.pipelines.api.artifact_messages import linked
from fairway.pipelines.tables import artifacts, task_artifacts, tasks

MOST = 1000
"""Most tasks that come with a run in the words of 2.17, and most children that come with tasks."""

_TOLD = ("PENDING", "RUNNING", "FAILED")
_DETAILS = tuple(column for column in tasks.c if column.name not in ("inputs", "outputs"))
_STATES_2 = {"CACHED": "SUCCEEDED"}
"""2.17 has no word for a step that was taken from the cache."""


@dataclass
class Links:
    """The artifacts of one task, by the name of the input or output."""

    inputs: dict[str, list[RowMapping]] = field(default_factory=lambda: defaultdict(list))
    outputs: dict[str, list[RowMapping]] = field(default_factory=lambda: defaultdict(list))


def of_runs(connection: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """All tasks of each run as 3.0 gives them, oldest first."""
    rows = _rows(connection, tasks.c.run_id.in_(ids))
    links, children = _links(connection, task_artifacts.c.run_id.in_(ids)), _children(rows)
    found: dict[str, list[dict[str, Any]]] = {id_: [] for id_ in ids}
    for row in rows:
        found[row["run_id"]].append(_message(row, links[row["id"]], children.get(row["id"], ())))
    return found


def of_tasks(connection: Connection, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Some tasks as 3.0 gives them: at most a page of them."""
    ids = [row["id"] for row in rows]
    links = _links(connection, task_artifacts.c.task_id.in_(ids))
    names = select(tasks.c.id, tasks.c.parent_task_id, tasks.c.name).where(tasks.c.parent_task_id.in_(ids))
    found = connection.execute(names.order_by(tasks.c.created_at, tasks.c.id).limit(MOST))
    children = _children(found.mappings())
    return [_message(row, links[row["id"]], children.get(row["id"], ())) for row in rows]


def details_of_run(connection: Connection, run: str) -> list[dict[str, Any]]:
    """The tasks of a run as 2.17 gives them, oldest first.

    Clients of 2.17 ask for a run every few seconds to see how it is. Where it is too large for that, they are told of
    what is not inside of anything, and of what runs, waits or failed; all of it is in the list of tasks.
    """
    few = tasks.c.run_id == run
    if not _fits(connection, run):
        top = select(tasks.c.id).where(tasks.c.run_id == run, tasks.c.parent_task_id == "")
        few &= tasks.c.parent_task_id.in_(("", *connection.execute(top).scalars())) | tasks.c.state.in_(_TOLD)
    query = select(*_DETAILS).where(few).order_by(tasks.c.created_at, tasks.c.id).limit(MOST)
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    links, children = _links(connection, task_artifacts.c.task_id.in_(ids)), _children(rows)
    return [_detail(row, links[row["id"]], children.get(row["id"], ())) for row in rows]


def _fits(connection: Connection, run: str) -> bool:
    one_more = select(tasks.c.id).where(tasks.c.run_id == run).offset(MOST).limit(1)
    return connection.execute(one_more).first() is None


def _rows(connection: Connection, where: ColumnElement[bool]) -> Sequence[RowMapping]:
    query = select(tasks).where(where).order_by(tasks.c.created_at, tasks.c.id)
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
            "looks": row["looks"],
            "pool": row["pool"],
            "slots": row["slots"],
            "status_metadata": compact({"message": row["error_message"]}),
            "error": error_of(row),
            "state_history": _history(row, {}),
            "parent_task_id": row["parent_task_id"],
            "child_tasks": [compact({"task_id": c["id"], "name": c["name"]}) for c in children],
            "inputs": _inputs(row, links.inputs),
            "outputs": _outputs(row, links.outputs),
            "scope_path": row["scope_path"].removesuffix(f"#{row['id']}"),  # see `reporting`
        }
    )
    # int64 is text in proto JSON.
    attributes = {name: str(row[name]) for name in ("iteration_index", "iteration_count") if row[name] is not None}
    if attributes:
        message["type_attributes"] = attributes
    return message


def _inputs(row: RowMapping, links: Mapping[str, list[RowMapping]]) -> dict[str, Any]:
    sources = row["sources"] or {}
    parameters = [_parameter(key, value, sources.get(key) or {}) for key, value in row["inputs"].items()]
    return _side(parameters, links)


def _outputs(row: RowMapping, links: Mapping[str, list[RowMapping]]) -> dict[str, Any]:
    made = {"type": "OUTPUT" if row["iteration_index"] is None else "ITERATOR_OUTPUT", "task": row["name"]}
    return _side([_parameter(key, value, made) for key, value in row["outputs"].items()], links)


def _parameter(key: str, value: Any, source: Mapping[str, Any]) -> dict[str, Any]:
    found = compact({"parameter_key": key, "type": source.get("type")})
    found["value"] = value
    if source.get("task"):
        found["producer"] = _made_by(source["task"], source.get("iteration"))
    return found


def _side(parameters: list[dict[str, Any]], links: Mapping[str, list[RowMapping]]) -> dict[str, Any]:
    """What a task was given, or what it made: parameters, and artifacts by key."""
    given = [
        compact(
            {
                "artifact_key": key,
                "type": found[0]["type"],
                "producer": _made_by(found[0]["producer_task_name"], found[0]["producer_iteration"]),
                "artifacts": [linked(link) for link in found],
            }
        )
        for key, found in links.items()
    ]
    return compact({"parameters": parameters, "artifacts": given})


def _made_by(task: str, iteration: int | None) -> dict[str, Any]:
    """KFP's IOProducer. int64 is text in proto JSON."""
    found = compact({"task_name": task})
    if iteration is not None:
        found["iteration"] = str(iteration)
    return found


def _history(row: RowMapping, words: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"update_time": moment(state["at"]), "state": words.get(state["state"], state["state"])}
        for state in row["states"] or ()
    ]
