"""What a task gives to others: a step's outcome as artifacts, a scope's outputs from its children.

A loop gives a list for each output, in the order of its iterations. Of parameters, a loop around a loop gives a list
of lists; artifacts come in one flat list, since there are no others (docs/decisions/0005). An iteration whose producer
did not run adds nothing.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

from fairway.pipelines import ir
from fairway.pipelines.ir.model import ArtifactType, Dag, FromTask
from fairway.pipelines.ir.values import plain
from fairway.pipelines.render.model import Artifact, Instance, Outcome, State, Values

METRICS = "system.Metrics"
METRIC = "system.Metric"


def of_step(instance: Instance, outcome: Outcome, folder: str) -> Values:
    """The declared outputs of a step that succeeded in `folder`, the address of its task folder."""
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for key, slot in instance.component.output_artifacts.items():
        told = outcome.artifacts.get(key, {})
        artifacts[key] = (artifact(instance, key, slot.type, str(told.get("uri") or f"{folder}/outputs/{key}"), told),)
    return Values(plain(dict(outcome.parameters)), artifacts)


def artifact(instance: Instance, key: str, type_: ArtifactType, uri: str, told: Mapping[str, Any]) -> Artifact:
    return Artifact(
        id=artifact_id(instance, key),
        name=str(told.get("name") or key),
        type=type_.title or type_.instance_schema,
        version=type_.version,
        uri=f"file://{uri}" if uri.startswith("/") else uri,
        metadata=plain(told.get("metadata") or {}),
        digest=str(told.get("digest") or ""),
    )


def artifact_id(instance: Instance, key: str) -> str:
    """Deterministic, so that an outcome that is read twice is registered once. An exit task that is run again with
    what surrounds it makes other artifacts."""
    return str(uuid.uuid5(uuid.UUID(instance.id), key if instance.attempts <= 1 else f"{key}#{instance.attempts - 1}"))


def of_scope(pipeline: ir.Pipeline, scope: Instance) -> Values:
    """The outputs of a DAG (or one iteration of it) whose children have ended."""
    assert isinstance(scope.component.body, Dag)
    result = Values()
    for key, sources in scope.component.body.parameter_outputs.items():
        for child, source in _producers(scope, sources):
            if source.key in child.outputs.parameters:
                result.parameters[key] = child.outputs.parameters[source.key]
                break
    for key, sources in scope.component.body.artifact_outputs.items():
        for child, source in _producers(scope, sources):
            if source.key in child.outputs.artifacts:
                result.artifacts[key] = child.outputs.artifacts[source.key]
                break
    return result


def of_loop(pipeline: ir.Pipeline, loop: Instance) -> Values:
    result = Values()
    iterations = [loop.children[str(number)].outputs for number in range(len(loop.items))]
    for key in loop.component.output_parameters:
        result.parameters[key] = [given.parameters[key] for given in iterations if key in given.parameters]
    for key in loop.component.output_artifacts:
        result.artifacts[key] = tuple(item for given in iterations for item in given.artifacts.get(key, ()))
    return result


def metrics(found: Artifact) -> dict[str, float]:
    """The scalar metrics in a Metrics artifact."""
    if found.type != METRICS:
        return {}
    return {
        name: float(value)
        for name, value in found.metadata.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _producers(scope: Instance, sources: tuple[FromTask, ...]) -> list[tuple[Instance, FromTask]]:
    """The children that an output may come from, those that succeeded."""
    return [
        (scope.children[source.task], source)
        for source in sources
        if scope.children[source.task].state in (State.SUCCEEDED, State.CACHED)
    ]
