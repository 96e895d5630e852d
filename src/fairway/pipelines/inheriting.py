"""What a run takes over from an earlier one: rows of steps that succeeded there, written before its object exists.

The engine finds them as it finds the records of a run that was interrupted, and goes on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from fairway.pipelines import outcomes
from fairway.pipelines.recalling import chunks
from fairway.pipelines.render.board import task_id
from fairway.pipelines.render.model import State, Type
from fairway.pipelines.tables import task_artifacts, tasks

_LEAVES = (str(Type.STEP), str(Type.IMPORTER))
_GOOD = (str(State.SUCCEEDED), str(State.CACHED))
_COPIED = ("name", "display_name", "type", "scope_path", "iteration_index", "fingerprint", "inputs", "outputs")


def succeeded(connection: Connection, run_id: str) -> list[RowMapping]:
    """The leaves of a run that could be taken over, each with the folder of the step that really ran."""
    ran = tasks.alias("ran")
    folder = select(ran.c.folder).where(ran.c.id == tasks.c.cached_from).scalar_subquery()
    query = select(tasks, folder.label("ran_in")).where(
        tasks.c.run_id == run_id, tasks.c.type.in_(_LEAVES), tasks.c.state.in_(_GOOD)
    )
    return list(connection.execute(query).mappings())


def iterations(connection: Connection, run_id: str) -> dict[str, int]:
    """How many items the loops of a run had, by path."""
    query = select(tasks.c.scope_path, tasks.c.iteration_count).where(
        tasks.c.run_id == run_id, tasks.c.iteration_count.is_not(None)
    )
    return {row.scope_path: row.iteration_count for row in connection.execute(query)}


def gone(rows: Sequence[RowMapping]) -> list[str]:
    """The paths of those whose artifacts are not there any more. Blocking."""
    there = outcomes.intact(row["folder"] or row["ran_in"] or "" for row in rows)
    return [row["scope_path"] for row, intact in zip(rows, there, strict=True) if not intact]


def take_over(connection: Connection, run_id: str, rows: Sequence[RowMapping], now: float) -> None:
    """Write these steps into the records of a new run: as taken from where they ran, with the same artifacts."""
    run = uuid.UUID(run_id)
    ids = {row["id"]: task_id(run, row["scope_path"]) for row in rows}
    if not rows:
        return
    connection.execute(tasks.insert(), [_row(row, run, now) for row in rows])
    for chunk in chunks(list(ids)):
        found = connection.execute(select(task_artifacts).where(task_artifacts.c.task_id.in_(chunk))).mappings()
        links = [{**link, "task_id": ids[link["task_id"]], "run_id": run_id} for link in found]
        if links:
            connection.execute(task_artifacts.insert(), links)


def _row(row: RowMapping, run: uuid.UUID, now: float) -> dict[str, Any]:
    path = row["scope_path"]
    around = path.rpartition("[")[0] if path.endswith("]") else path.rpartition("/")[0]
    return {
        **{name: row[name] for name in _COPIED},
        "id": task_id(run, path),
        "run_id": str(run),
        "parent_task_id": task_id(run, around),
        "state": str(State.CACHED),
        "cached_from": row["cached_from"] or row["id"],
        "created_at": now,
        "finished_at": now,
        "states": [{"state": str(State.CACHED), "at": now}],
    }
