"""Runs as the records have them: what a graph is built from, and what the cache knows. Nothing is written here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, func, select

from fairway.pipelines import approvals
from fairway.pipelines.render.model import Artifact, Hit, Known, State, Values
from fairway.pipelines.tables import artifacts, cache_entries, runs, specs, task_artifacts, tasks

_CHUNK = 500
"""Most values in one IN list; SQLite bounds the number of parameters."""


@dataclass(frozen=True)
class Found:
    """A run as the records have it. `row` is its line in `runs`; the documents are as the client sent them."""

    row: Mapping[str, Any]
    spec: dict[str, Any]
    platform: dict[str, Any] | None
    known: dict[str, Known]


def find(connection: Connection, run_id: str) -> Found | None:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        return None
    body = connection.execute(select(specs.c.body).where(specs.c.digest == row["spec_digest"])).scalar_one()
    documents = orjson.loads(body)
    return Found(dict(row), documents["pipeline_spec"], documents["platform_spec"], _known(connection, run_id))


def hits(connection: Connection, fingerprints: Sequence[str], pipeline: str, namespace: str) -> dict[str, CacheHit]:
    """For each fingerprint the newest task that has it, where there is one."""
    newest: dict[str, RowMapping] = {}
    for chunk in chunks(fingerprints):
        numbers = (
            select(func.max(cache_entries.c.number))
            .where(cache_entries.c.fingerprint.in_(chunk))
            .where(cache_entries.c.pipeline_name == pipeline, cache_entries.c.namespace == namespace)
            .group_by(cache_entries.c.fingerprint)
        )
        entry = (cache_entries.c.fingerprint, cache_entries.c.created_at)
        query = (
            select(*entry, tasks.c.id, tasks.c.outputs, tasks.c.folder)
            .join(tasks, tasks.c.id == cache_entries.c.task_id)
            .where(cache_entries.c.number.in_(numbers))
        )
        newest |= {row["fingerprint"]: row for row in connection.execute(query).mappings()}
    made = _outputs(connection, task_artifacts.c.task_id.in_({row["id"] for row in newest.values()}))
    return {
        fingerprint: CacheHit(
            Hit(row["id"], Values(dict(row["outputs"]), made[row["id"]])), row["folder"], row["created_at"]
        )
        for fingerprint, row in newest.items()
    }


@dataclass(frozen=True)
class CacheHit:
    """`folder` is the task folder of the task that was found, where one can see whether its artifacts remain."""

    hit: Hit
    folder: str
    made_at: float


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))


def _known(connection: Connection, run_id: str) -> dict[str, Known]:
    made = _outputs(connection, task_artifacts.c.run_id == run_id)
    said = approvals.verdicts(connection, run_id)
    query = select(tasks).where(tasks.c.run_id == run_id)
    return {
        row["id"]: Known(
            state=State(row["state"]),
            attempts=row["attempts"],
            disruptions=row["disruptions"],
            looks=row["looks"],
            retry_at=row["retry_at"],
            slots=row["slots"],
            verdict=said.get(row["id"]),
            pod=row["pod_name"],
            fingerprint=row["fingerprint"],
            cached_from=row["cached_from"],
            message=row["error_message"],
            code=row["error_code"],
            created_at=row["created_at"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            history=tuple((State(entry["state"]), entry["at"]) for entry in row["states"] or ()),
            outputs=Values(dict(row["outputs"] or {}), made[row["id"]]),
        )
        for row in connection.execute(query).mappings()
    }


def _outputs(connection: Connection, where: Any) -> dict[str, dict[str, tuple[Artifact, ...]]]:
    """The output artifacts of tasks, without the rows of their scalar metrics."""
    joined = task_artifacts.join(artifacts, artifacts.c.id == task_artifacts.c.artifact_id)
    query = (
        select(task_artifacts.c.task_id, task_artifacts.c.key, artifacts)
        .select_from(joined)
        .where(where, task_artifacts.c.output, artifacts.c.number_value.is_(None))
        .order_by(task_artifacts.c.task_id, task_artifacts.c.key, task_artifacts.c.position)
    )
    found: dict[str, dict[str, tuple[Artifact, ...]]] = defaultdict(dict)
    for row in connection.execute(query).mappings():
        item = Artifact(
            row["id"],
            row["name"],
            row["type"],
            row["schema_version"],
            row["uri"],
            dict(row["metadata"] or {}),
            digest=row["digest"],
        )
        of_task = found[row["task_id"]]
        of_task[row["key"]] = (*of_task.get(row["key"], ()), item)
    return found
