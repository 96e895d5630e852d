"""Runs and their tasks in the records: read to build a graph, written before anything starts.

All functions take a connection and are run by `Database.read` and `Database.write`. A change of many tasks is a few
statements, whatever the number of tasks.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, bindparam, select

from fairway.pipelines import ir
from fairway.pipelines.ir.model import FromInput, FromTask
from fairway.pipelines.render import folders, outputs
from fairway.pipelines.render.model import Artifact, Hit, Instance, Known, RunFacts, State, Type, Values
from fairway.pipelines.tables import artifacts, cache_entries, run_states, runs, specs, task_artifacts, tasks

OVER = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})

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
    for chunk in _chunks(fingerprints):
        query = (
            select(cache_entries.c.fingerprint, tasks.c.id, tasks.c.outputs, tasks.c.folder)
            .join(tasks, tasks.c.id == cache_entries.c.task_id)
            .where(cache_entries.c.fingerprint.in_(chunk))
            .where(cache_entries.c.pipeline_name == pipeline, cache_entries.c.namespace == namespace)
            .order_by(cache_entries.c.number)
        )
        newest |= {row["fingerprint"]: row for row in connection.execute(query).mappings()}
    made = _outputs(connection, task_artifacts.c.task_id.in_({row["id"] for row in newest.values()}))
    return {
        fingerprint: CacheHit(Hit(row["id"], Values(dict(row["outputs"]), made[row["id"]])), row["folder"])
        for fingerprint, row in newest.items()
    }


@dataclass(frozen=True)
class CacheHit:
    """`folder` is the task folder of the task that was found, where one can see whether its artifacts remain."""

    hit: Hit
    folder: str


def start(connection: Connection, run_id: str, now: float) -> None:
    changed = connection.execute(
        runs.update().where(runs.c.id == run_id, runs.c.state == "PENDING").values(state="RUNNING")
    )
    if changed.rowcount:
        connection.execute(run_states.insert().values(run_id=run_id, state="RUNNING", at=now))


def finish(
    connection: Connection, run_id: str, state: str, now: float, *, message: str, results: Mapping[str, Any]
) -> None:
    code = 13 if message else 0  # gRPC's INTERNAL, as upstream has it
    values = {"state": state, "finished_at": now, "error_code": code, "error_message": message, "outputs": results}
    changed = connection.execute(runs.update().where(runs.c.id == run_id, runs.c.state.not_in(OVER)).values(**values))
    if changed.rowcount:
        told = {"run_id": run_id, "state": state, "at": now, "error_code": code, "error_message": message}
        connection.execute(run_states.insert().values(**told))


def abandon(connection: Connection, run_id: str, now: float) -> None:
    """The run's object was deleted, and its pods with it: what was open is canceled, what was over stays."""
    open_ = (tasks.c.run_id == run_id) & tasks.c.state.in_(("PENDING", "RUNNING"))
    connection.execute(tasks.update().where(open_).values(state="CANCELED", finished_at=now))
    finish(connection, run_id, "CANCELED", now, message="the Run object was deleted", results={})


def reset(connection: Connection, run_id: str, now: float) -> None:
    """Forget what did not succeed, so that it is done again. Steps that were tried keep their count of attempts."""
    of_run = tasks.c.run_id == run_id
    tried = (tasks.c.type == str(Type.STEP)) & (tasks.c.attempts > 0)
    again = of_run & tried & tasks.c.state.in_(("FAILED", "CANCELED"))
    connection.execute(
        tasks.update()
        .where(again)
        .values(state="PENDING", retry_at=now, finished_at=None, error_code=0, error_message="")
    )
    gone = of_run & ~tried & tasks.c.state.in_(("FAILED", "CANCELED", "SKIPPED"))
    connection.execute(tasks.delete().where(gone))


class Changes:
    """Rows to write, taken from instances at once, so that a graph may go on while they are written."""

    def __init__(self, pipeline: ir.Pipeline, run: RunFacts, changed: Iterable[Instance], now: float) -> None:
        self._run, self._now = run, now
        self._new: list[dict[str, Any]] = []
        self._old: list[dict[str, Any]] = []
        self._inputs: list[dict[str, Any]] = []
        self._unlinked: set[str] = set()
        self._artifacts: dict[str, dict[str, Any]] = {}
        self._links: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []
        for instance in changed:
            self._add(pipeline, instance)
            instance.recorded = True

    def __bool__(self) -> bool:
        return bool(self._new or self._old)

    def write(self, connection: Connection) -> None:
        if self._new:
            connection.execute(tasks.insert(), self._new)
        if self._old:
            update = tasks.update().where(tasks.c.id == bindparam("of"))
            connection.execute(update, self._old)
        if self._inputs:
            connection.execute(tasks.update().where(tasks.c.id == bindparam("of")), self._inputs)
        for chunk in _chunks(list(self._unlinked)):
            connection.execute(task_artifacts.delete().where(task_artifacts.c.task_id.in_(chunk)))
        self._write_artifacts(connection)
        if self._entries:
            connection.execute(cache_entries.insert(), self._entries)

    def _write_artifacts(self, connection: Connection) -> None:
        """Identifiers are deterministic: what is there already was written for the same outcome."""
        there: set[str] = set()
        for chunk in _chunks(list(self._artifacts)):
            there |= set(connection.execute(select(artifacts.c.id).where(artifacts.c.id.in_(chunk))).scalars())
        rows = [row for key, row in self._artifacts.items() if key not in there]
        if rows:
            connection.execute(artifacts.insert(), rows)
        if self._links:
            connection.execute(task_artifacts.insert(), self._links)

    def _add(self, pipeline: ir.Pipeline, instance: Instance) -> None:
        changing = {
            "state": str(State.PENDING if instance.state is State.WAITING else instance.state),
            "iteration_count": instance.iterations,
            "started_at": instance.started_at,
            "finished_at": instance.finished_at,
            "pod_name": instance.pod,
            "folder": folders.address(pipeline, self._run, instance) if instance.pod else "",
            "attempts": instance.attempts,
            "disruptions": instance.disruptions,
            "retry_at": instance.retry_at,
            "fingerprint": instance.fingerprint,
            "cached_from": instance.cached_from,
            "error_code": instance.code,
            "error_message": instance.message,
            "outputs": dict(instance.outputs.parameters) if instance.state.ended else {},
            "states": [{"state": str(state), "at": at} for state, at in instance.history],
        }
        if instance.recorded:
            self._old.append({"of": instance.id, **changing})
            self._renew(instance)
        else:
            self._new.append({**self._identity(instance), **changing})
            self._link_inputs(instance)
        if instance.state.good and instance.type in (Type.STEP, Type.IMPORTER):
            self._add_outputs(instance)

    def _renew(self, instance: Instance) -> None:
        """Of a task that is begun again: what an earlier try was given and made goes, what it is given now comes."""
        if instance.renewed:
            self._unlinked.add(instance.id)
        if instance.renewed and instance.state is not State.WAITING:
            self._inputs.append({"of": instance.id, "inputs": _own_inputs(instance)})
            self._link_inputs(instance)
            instance.renewed = False

    def _identity(self, instance: Instance) -> dict[str, Any]:
        return {
            "id": instance.id,
            "run_id": self._run.id,
            "parent_task_id": instance.parent.id if instance.parent else "",
            "name": instance.name,
            "display_name": instance.display_name,
            "type": str(instance.type),
            "scope_path": instance.path,
            "iteration_index": instance.iteration,
            "created_at": instance.created_at,
            "inputs": _own_inputs(instance),
        }

    def _link_inputs(self, instance: Instance) -> None:
        if instance.type not in (Type.STEP, Type.IMPORTER):
            return
        sources = instance.task.artifacts if instance.task else {}
        for key, items in instance.inputs.artifacts.items():
            source = sources.get(key)
            kind = "COMPONENT_INPUT" if isinstance(source, FromInput) else "TASK_OUTPUT_INPUT"
            if len(items) > 1:
                kind = "COLLECTED_INPUTS"
            producer = source.task if isinstance(source, FromTask) else ""
            self._link(instance, key, items, kind, producer, output=False)

    def _add_outputs(self, instance: Instance) -> None:
        """Register what a step made. Of a cached step everything is there; it is linked and not made again."""
        for key, items in instance.outputs.artifacts.items():
            self._link(instance, key, items, "OUTPUT", "", output=True)
            for item in items:
                for name, value in outputs.metrics(item).items():
                    scalar = Artifact(str(uuid.uuid5(uuid.UUID(item.id), name)), name, outputs.METRIC, item.version, "")
                    self._link(instance, f"{key}/{name}", (scalar,), "OUTPUT", "", output=True)
                    if not instance.cached_from:
                        self._artifacts[scalar.id] = self._artifact(scalar, value)
                if not instance.cached_from:
                    self._artifacts[item.id] = self._artifact(item, None)
        if instance.fingerprint and not instance.cached_from:
            self._entries.append(
                {
                    "fingerprint": instance.fingerprint,
                    "pipeline_name": self._run.pipeline_name,
                    "namespace": self._run.cache_namespace,
                    "task_id": instance.id,
                    "created_at": self._now,
                }
            )

    def _link(
        self,
        instance: Instance,
        key: str,
        items: Sequence[Artifact],
        kind: str,
        producer: str,
        *,
        output: bool,
    ) -> None:
        for position, item in enumerate(items):
            self._links.append(
                {
                    "task_id": instance.id,
                    "output": output,
                    "key": key,
                    "position": position,
                    "run_id": self._run.id,
                    "artifact_id": item.id,
                    "type": kind,
                    "producer_task_name": producer,
                    "producer_iteration": None,
                }
            )

    def _artifact(self, item: Artifact, number: float | None) -> dict[str, Any]:
        return {
            "id": item.id,
            "name": item.name,
            "type": item.type[:255],
            "schema_version": item.version,
            "uri": item.uri,
            "metadata": dict(item.metadata),
            "number_value": number,
            "namespace": self._run.cache_namespace,
            "created_at": self._now,
        }


def _own_inputs(instance: Instance) -> dict[str, Any]:
    """An iteration is told apart by its item; the rest of its inputs are the loop's, and stand there once."""
    loop = instance.task.loop if instance.task else None
    if loop is not None and not instance.whole and instance.type is Type.DAG:
        return {key: value for key, value in instance.inputs.parameters.items() if key == loop.item}
    return dict(instance.inputs.parameters)


def _known(connection: Connection, run_id: str) -> dict[str, Known]:
    made = _outputs(connection, task_artifacts.c.run_id == run_id)
    query = select(tasks).where(tasks.c.run_id == run_id)
    return {
        row["id"]: Known(
            state=State(row["state"]),
            attempts=row["attempts"],
            disruptions=row["disruptions"],
            retry_at=row["retry_at"],
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
            row["id"], row["name"], row["type"], row["schema_version"], row["uri"], dict(row["metadata"] or {})
        )
        of_task = found[row["task_id"]]
        of_task[row["key"]] = (*of_task.get(row["key"], ()), item)
    return found


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
