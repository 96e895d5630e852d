"""What became of tasks, as rows: written before anything that follows from it is done.

A change of many tasks is a few statements, whatever the number of tasks. Identifiers are made from places, so that
what is written twice is there once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from fairway.pipelines import ir
from fairway.pipelines.ir.model import FromInput, FromTask
from fairway.pipelines.recalling import chunks
from fairway.pipelines.render import folders, outputs, sources
from fairway.pipelines.render.model import Artifact, Instance, RunFacts, State, Type
from fairway.pipelines.tables import artifacts, cache_entries, run_metrics, task_artifacts, tasks
from fairway.records import inserting, texts

_LONGEST_KEY = 255


def keep_metrics(connection: Connection, run: str, metrics: Mapping[str, float]) -> None:
    """What runs are sorted by: of each metric the value that was told last."""
    if not metrics:
        return
    upsert = inserting.insert(connection, run_metrics)
    upsert = upsert.on_conflict_do_update(index_elements=["run_id", "name"], set_={"value": upsert.excluded.value})
    connection.execute(upsert, [{"run_id": run, "name": key[:255], "value": value} for key, value in metrics.items()])


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
        self._metrics: dict[str, float] = {}
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
        for chunk in chunks(list(self._unlinked)):
            connection.execute(task_artifacts.delete().where(task_artifacts.c.task_id.in_(chunk)))
        self._write_artifacts(connection)
        keep_metrics(connection, self._run.id, self._metrics)
        if self._entries:
            connection.execute(cache_entries.insert(), self._entries)

    def _write_artifacts(self, connection: Connection) -> None:
        """Identifiers are deterministic: what is there already was written for the same outcome."""
        there: set[str] = set()
        for chunk in chunks(list(self._artifacts)):
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
            "looks": instance.looks,
            "pool": instance.options.pool,
            "slots": instance.slots,
            "retry_at": instance.retry_at,
            "fingerprint": instance.fingerprint,
            "cached_from": instance.cached_from,
            "error_code": instance.code,
            "error_message": texts.kept(instance.message),
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
            self._inputs.append({"of": instance.id, **_given(instance)})
            self._link_inputs(instance)
            instance.renewed = False

    def _identity(self, instance: Instance) -> dict[str, Any]:
        return {
            "id": instance.id,
            "run_id": self._run.id,
            "parent_task_id": instance.parent.id if instance.parent else "",
            "name": instance.name,
            "display_name": texts.kept(instance.display_name, 255),
            "type": str(instance.type),
            "scope_path": instance.path,
            "iteration_index": instance.iteration,
            "created_at": instance.created_at,
            **_given(instance),
        }

    def _link_inputs(self, instance: Instance) -> None:
        if instance.type not in (Type.STEP, Type.IMPORTER):
            return
        given = instance.task.artifacts if instance.task else {}
        for key, items in instance.inputs.artifacts.items():
            source = given.get(key)
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
                    if "\0" in name or len(f"{key}/{name}") > _LONGEST_KEY:
                        continue  # the artifact's metadata have it, and no row of its own has room for it
                    self._metrics[name] = value
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
            "name": texts.kept(item.name, 255),
            "type": texts.kept(item.type, 255),
            "schema_version": texts.kept(item.version, 32),
            "uri": texts.kept(item.uri),
            "digest": texts.kept(item.digest, 64),
            "metadata": dict(item.metadata),
            "number_value": number,
            "namespace": self._run.cache_namespace,
            "created_at": self._now,
        }


def _given(instance: Instance) -> dict[str, Any]:
    """The columns that say what a task was given."""
    inputs = _own_inputs(instance)
    return {"inputs": inputs, "sources": sources.of_parameters(instance, inputs)}


def _own_inputs(instance: Instance) -> dict[str, Any]:
    """An iteration is told apart by its item; the rest of its inputs are the loop's, and stand there once."""
    loop = instance.task.loop if instance.task else None
    if loop is not None and not instance.whole and instance.type is Type.DAG:
        return {key: value for key, value in instance.inputs.parameters.items() if key == loop.item}
    return dict(instance.inputs.parameters)
