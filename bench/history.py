"""A long history for the benchmark of lists: runs with their states, tasks, artifacts and metrics, written directly."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, text

from fairway.pipelines import tables

NOW = 1_790_000_000.0
_STATES = ("SUCCEEDED",) * 16 + ("FAILED",) * 3 + ("CANCELED",)
_WORDS = ("churn", "fraud", "iris", "taxi", "price", "demand", "speech", "vision", "search", "click")
_CHUNK = 5000


@dataclass(frozen=True)
class History:
    """How long it is, and what a question about it may name."""

    runs: int
    tasks: int
    experiments: tuple[str, ...]
    ids: tuple[str, ...]
    """Of the runs, oldest first."""


def write(connection: Connection, runs: int, tasks_each: int) -> History:
    """The same history each time, in the order in which it would have happened."""
    dice = random.Random(7)
    experiments = tuple(_uuid(dice) for _ in range(50))
    ids = tuple(_uuid(dice) for _ in range(runs))
    _insert(connection, tables.experiments, (_experiment(id_, number) for number, id_ in enumerate(experiments)))
    connection.execute(tables.specs.insert(), {"digest": "d", "body": '{"pipeline_spec": {}, "platform_spec": null}'})
    _insert(connection, tables.runs, (_run(dice, number, id_, experiments) for number, id_ in enumerate(ids)))
    _insert(connection, tables.run_metrics, (_metric(number, id_) for number, id_ in enumerate(ids)))
    _insert(connection, tables.run_states, (state for number, id_ in enumerate(ids) for state in _states(number, id_)))
    _insert(
        connection, tables.tasks, (task for number, id_ in enumerate(ids) for task in _tasks(number, id_, tasks_each))
    )
    _insert(connection, tables.artifacts, (each for number, id_ in enumerate(ids) for each in _artifacts(number, id_)))
    _insert(connection, tables.task_artifacts, (each for id_ in ids for each in _links(id_, min(1, tasks_each - 1))))
    if connection.dialect.name == "postgresql":  # which does it by itself, in time
        connection.execute(text("ANALYZE"))
    return History(runs, runs * tasks_each, experiments, ids)


def created_at(number: int, runs: int) -> float:
    """When a run was created: one a minute, the last one now."""
    return NOW - 60.0 * (runs - number)


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
        "created_at": NOW - 1e7 + number,
    }


def _run(dice: random.Random, number: int, id_: str, experiments: tuple[str, ...]) -> dict[str, Any]:
    created = NOW + 60.0 * number
    pipeline = _WORDS[number % len(_WORDS)]
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


def _states(number: int, run: str) -> Iterable[dict[str, Any]]:
    at = NOW + 60.0 * number
    return (
        {"run_id": run, "state": state, "at": at + i} for i, state in enumerate(("PENDING", "RUNNING", "SUCCEEDED"))
    )


def _tasks(number: int, run: str, count: int) -> Iterable[dict[str, Any]]:
    at = NOW + 60.0 * number
    return (
        {
            "id": f"{run[:24]}{position:012d}",
            "run_id": run,
            "parent_task_id": f"{run[:24]}{0:012d}" if position else "",
            "name": f"step-{position}",
            "type": "RUNTIME" if position else "ROOT",
            "scope_path": f"step-{position}",
            "state": "SUCCEEDED",
            "created_at": at + position,
            "started_at": at + position,
            "finished_at": at + position + 1,
            "inputs": {"rows": number},
            "outputs": {"rows": number + position},
            "states": [{"state": "RUNNING", "at": at}, {"state": "SUCCEEDED", "at": at + 1}],
        }
        for position in range(count)
    )


def _score(number: int) -> float:
    return (number * 7919 % 100_003) / 100_003


def _metric(number: int, run: str) -> dict[str, Any]:
    return {"run_id": run, "name": "auc", "value": _score(number)}


def _artifacts(number: int, run: str) -> Iterable[dict[str, Any]]:
    at = {"created_at": NOW + 60.0 * number, "namespace": "default", "description": ""}
    uri = f"file:///data/artifacts/p/{run}/train/{run}/outputs/model"
    return (
        {"id": f"m{run[1:]}", "name": "model", "type": "system.Model", "uri": uri, "metadata": {"f": "x"},
         "number_value": None, **at},
        {"id": f"s{run[1:]}", "name": "auc", "type": "system.Metric", "uri": "", "metadata": {},
         "number_value": _score(number), **at},
    )  # fmt: skip


def _links(run: str, task: int) -> Iterable[dict[str, Any]]:
    return (
        {"task_id": f"{run[:24]}{task:012d}", "output": True, "key": key, "position": 0, "run_id": run,
         "artifact_id": f"{first}{run[1:]}", "type": "OUTPUT"}
        for key, first in (("model", "m"), ("auc", "s"))
    )  # fmt: skip
