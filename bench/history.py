"""A long history for the benchmark of lists: runs with their states, tasks, artifacts and metrics.

Runs are written one by one; what belongs to them is made of them inside the database, which is ten times as fast.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import JSON, Connection, Insert, Subquery, Table, func, literal, select, true, union_all

from fairway.pipelines import tables

BEGIN = 1_700_000_000.0
_STATES = ("SUCCEEDED",) * 16 + ("FAILED",) * 3 + ("CANCELED",)
_PIPELINES = ("churn", "fraud", "iris", "taxi", "price", "demand", "speech", "vision", "search", "click")
_CHUNK = 5000


@dataclass(frozen=True)
class History:
    """What a question about it may name."""

    experiments: tuple[str, ...]
    ids: tuple[str, ...]
    """Of the runs, oldest first."""


def created_at(number: int) -> float:
    """When a run was created: one every minute."""
    return BEGIN + 60.0 * number


def write(connection: Connection, runs: int, tasks_each: int) -> History:
    """The same history each time. Of the artifacts of a run, one is a model and one a metric, "auc"."""
    dice = random.Random(7)
    experiments = tuple(_uuid(dice) for _ in range(50))
    ids = tuple(_uuid(dice) for _ in range(runs))
    _insert(connection, tables.experiments, (_experiment(id_, number) for number, id_ in enumerate(experiments)))
    connection.execute(tables.specs.insert(), {"digest": "d", "body": '{"pipeline_spec": {}, "platform_spec": null}'})
    _insert(connection, tables.runs, (_run(dice, number, id_, experiments) for number, id_ in enumerate(ids)))
    for statement in (_states(), _tasks(tasks_each), _artifacts(), _links(), _metrics()):
        connection.execute(statement)
    return History(experiments, ids)


def _insert(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    while chunk := list(islice(rows, _CHUNK)):
        connection.execute(table.insert(), chunk)


def _uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _experiment(id_: str, number: int) -> dict[str, Any]:
    return {
        "id": id_,
        "display_name": f"experiment {number}",
        "namespace": "default",
        "storage_state": "AVAILABLE",
        "created_at": BEGIN - 100.0 + number,
    }


def _run(dice: random.Random, number: int, id_: str, experiments: tuple[str, ...]) -> dict[str, Any]:
    created, pipeline = created_at(number), _PIPELINES[number % len(_PIPELINES)]
    return {
        "id": id_,
        "display_name": f"{pipeline} training {number}",
        "description": f"run number {number} of the {pipeline} pipeline, started by its schedule",
        "experiment_id": dice.choice(experiments),
        "namespace": "default",
        "object_namespace": "default",
        "storage_state": "ARCHIVED" if number % 10 == 0 else "AVAILABLE",
        "state": dice.choice(_STATES),
        "pipeline_name": pipeline,
        "spec_digest": "d",
        "parameters": {"learning_rate": dice.random(), "epochs": number % 40, "data": "s3://bucket/" + "x" * 60},
        "service_account": "default-editor",
        "recurring_run_id": f"schedule-{number % 30}" if number % 3 else "",
        "created_at": created,
        "scheduled_at": created - dice.random(),
        "finished_at": created + 30 + 600 * dice.random(),
        "outputs": {"auc": dice.random()},
    }


def _numbers(count: int) -> Subquery:
    """Rows to multiply with: a number, and the end of an id."""
    rows = (select(literal(n).label("n"), literal(f"{n:012d}").label("tail")) for n in range(count))
    return union_all(*rows).subquery("numbers")


def _of_runs(table: Table, values: dict[str, Any], source: Any = tables.runs) -> Insert:
    return table.insert().from_select(list(values), select(*values.values()).select_from(source))


def _states() -> Insert:
    run = tables.runs.c
    states = (
        select(literal(n).label("n"), literal(word).label("word")) for n, word in enumerate(("PENDING", "RUNNING"))
    )
    each = union_all(*states).subquery("each_state")
    values = {"run_id": run.id, "state": each.c.word, "at": run.created_at + each.c.n}
    return _of_runs(tables.run_states, values, tables.runs.join(each, true()))


def _tasks(count: int) -> Insert:
    run, number = tables.runs.c, _numbers(count)
    head = func.substr(run.id, 1, 24)
    states = [{"state": "RUNNING", "at": BEGIN}, {"state": "SUCCEEDED", "at": BEGIN + 1}]
    values = {
        "id": head.concat(number.c.tail),
        "run_id": run.id,
        "parent_task_id": head.concat("0" * 12),
        "name": literal("step-").concat(number.c.tail),
        "type": literal("RUNTIME"),
        "scope_path": literal("step-").concat(number.c.tail),
        "state": literal("SUCCEEDED"),
        "created_at": run.created_at + number.c.n,
        "started_at": run.created_at + number.c.n,
        "finished_at": run.created_at + number.c.n + 1,
        "inputs": literal({"rows": 1}, JSON),
        "outputs": literal({"rows": 2}, JSON),
        "states": literal(states, JSON),
    }
    return _of_runs(tables.tasks, values, tables.runs.join(number, true()))


def _artifacts() -> Insert:
    run, kind = tables.runs.c, _kinds()
    values = {
        "id": kind.c.first.concat(func.substr(run.id, 2)),
        "name": kind.c.name,
        "type": kind.c.type,
        "uri": literal("file:///data/artifacts/p/").concat(run.id).concat("/train/").concat(run.id).concat("/outputs"),
        "metadata": literal({"framework": "x"}, JSON),
        "number_value": kind.c.scalar * (run.finished_at - run.created_at),
        "namespace": run.namespace,
        "created_at": run.created_at,
    }
    return _of_runs(tables.artifacts, values, tables.runs.join(kind, true()))


def _links() -> Insert:
    run, kind = tables.runs.c, _kinds()
    values = {
        "task_id": func.substr(run.id, 1, 24).concat("0" * 12),
        "output": true(),
        "key": kind.c.name,
        "position": literal(0),
        "run_id": run.id,
        "artifact_id": kind.c.first.concat(func.substr(run.id, 2)),
        "type": literal("OUTPUT"),
    }
    return _of_runs(tables.task_artifacts, values, tables.runs.join(kind, true()))


def _metrics() -> Insert:
    run = tables.runs.c
    values = {"run_id": run.id, "name": literal("auc"), "value": run.finished_at - run.created_at}
    return _of_runs(tables.run_metrics, values)


def _kinds() -> Subquery:
    """The artifacts of each run: how their ids begin, and what they are."""
    made = (("m", "model", "system.Model", None), ("s", "auc", "system.Metric", 1.0))
    labels = ("first", "name", "type", "scalar")
    rows = (
        select(*(literal(value, tables.artifacts.c.number_value.type if label == "scalar" else None).label(label)
                 for label, value in zip(labels, each, strict=True)))
        for each in made
    )  # fmt: skip
    return union_all(*rows).subquery("kinds")
