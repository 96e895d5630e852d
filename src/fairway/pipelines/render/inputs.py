"""Where the inputs of a task come from: the surrounding scope, siblings, constants, defaults.

Three things are kept apart, as upstream does: no value (the default counts, a step's own default included), null
(stays null in a scope, is left out of a step), and a value (fitted to the declared type).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fairway.pipelines import ir
from fairway.pipelines.ir.expressions import ExpressionError, selected
from fairway.pipelines.ir.model import (
    MISSING,
    Component,
    Constant,
    Dag,
    FinalStatus,
    FromInput,
    FromRun,
    FromTask,
    Missing,
    Parameter,
    ParameterSource,
    Task,
    Value,
)
from fairway.pipelines.ir.values import WrongType, fitted, text
from fairway.pipelines.placeholders import Scene, UnknownPlaceholder
from fairway.pipelines.render.model import Artifact, Instance, RunFacts, State, Values


class InputError(Exception):
    """A task cannot start because of an input. The text is for the person who wrote the pipeline."""


def of_root(component: Component, run: RunFacts) -> Values:
    unknown = sorted(set(run.parameters) - set(component.input_parameters))
    if unknown:
        raise InputError(f"the pipeline has no input {', '.join(map(repr, unknown))}")
    missing = [key for key, slot in component.input_artifacts.items() if not slot.optional and key not in run.artifacts]
    if missing:
        raise InputError(f"the pipeline takes artifacts that the run is not given: {', '.join(missing)}")
    return Values(declared(component, dict(run.parameters)), dict(run.artifacts))


def of_task(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> tuple[Values, dict[str, Value]]:
    """The inputs, and all values by name for the condition, which may look at more than the component declares."""
    task, scope = _task(instance), _scope(instance)
    values: dict[str, Value] = {}
    for key, source in task.parameters.items():
        value = resolved(pipeline, run, scope, instance, source)
        if value is not MISSING:
            values[key] = value
    _fill_constants(pipeline, run, instance, task, values)
    component = instance.component
    given = {key: value for key, value in values.items() if key in component.input_parameters}
    skipped = task.loop.item if task.loop else ""
    parameters = declared(component, given, skipped)
    return Values(parameters, _artifacts(component, task, scope, skipped)), {**values, **parameters}


def override(run: RunFacts, instance: Instance, seen: dict[str, Value]) -> None:
    """What whoever started the run wants to be different for this task. Null takes a value away."""
    if not run.overrides:
        return
    changed = run.overrides.inputs(instance.path)
    for key, value in changed.items():
        declared = instance.component.input_parameters.get(key)
        if declared is None:
            raise InputError(f"input {key!r} is to be changed for this run, and the task has no such input")
        if value is None and not instance.is_scope:
            instance.inputs.parameters.pop(key, None)
        else:
            instance.inputs.parameters[key] = value if value is None else as_declared(key, declared, value)
    seen |= changed


def declared(component: Component, given: dict[str, Value], skipped: str = "") -> dict[str, Value]:
    """The given values as the component declares them, with defaults. A scope keeps null, a step leaves it out."""
    scope = isinstance(component.body, Dag)
    result: dict[str, Value] = {}
    for key, parameter in component.input_parameters.items():
        if key == skipped:
            continue
        value = given.get(key, MISSING)
        if value is None and not scope:
            value = MISSING
        if value is MISSING:
            value = _absent(key, parameter, scope)
        if value is MISSING:
            continue
        result[key] = value if value is None else as_declared(key, parameter, value)
    return result


def defaults(component: Component) -> dict[str, Value]:
    """What placeholders find for inputs that a task is not given: the default, or null."""
    return {
        key: None if parameter.default is MISSING else parameter.default
        for key, parameter in component.input_parameters.items()
        if parameter.optional or parameter.default is not MISSING
    }


def as_declared(key: str, parameter: Parameter, value: Value) -> Value:
    try:
        value = fitted(value, parameter.type)
    except WrongType as wrong:
        raise InputError(f"input {key!r}: {wrong}") from wrong
    if parameter.literals and value not in parameter.literals:
        allowed = ", ".join(text(literal) for literal in parameter.literals)
        raise InputError(f"input {key!r} is {text(value)}, and must be one of {allowed}")
    return value


def resolved(
    pipeline: ir.Pipeline, run: RunFacts, scope: Instance, instance: Instance, source: ParameterSource
) -> Value | Missing:
    """The value of one source as seen from inside `scope`; constants keep their placeholders."""
    value = _origin(pipeline, run, scope, source)
    if source.selector and value is not MISSING:
        try:
            return selected(source.selector, value)
        except ExpressionError as wrong:
            raise InputError(f"input of {instance.name!r}: {wrong}") from wrong
    return value


def job_values(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> dict[str, str]:
    return {
        ".pipeline_job_name": run.display_name,
        ".pipeline_job_resource_name": run.resource_name(pipeline),
        ".pipeline_job_uuid": run.id,
        ".pipeline_job_create_time_utc": _utc(run.created_at),
        ".pipeline_job_schedule_time_utc": _utc(run.scheduled_at),
        ".pipeline_root": run.remote or run.root,
        ".pipeline_task_name": instance.name,
        ".pipeline_task_uuid": instance.id,
        ".workspace_path": run.workspace(pipeline),
    }


def _origin(pipeline: ir.Pipeline, run: RunFacts, scope: Instance, source: ParameterSource) -> Value | Missing:
    origin = source.origin
    if isinstance(origin, Constant):
        return origin.value
    if isinstance(origin, FromInput):
        return scope.inputs.parameters.get(origin.name, MISSING)
    if isinstance(origin, FromRun):
        return _root(scope).inputs.parameters.get(origin.name, MISSING)
    if isinstance(origin, FromTask) and origin.task not in scope.children:
        raise InputError(f"the value is an output of {origin.task!r}, and there is no such task beside this one")
    if isinstance(origin, FromTask):
        return scope.children[origin.task].outputs.parameters.get(origin.key, MISSING)
    return _final_status(pipeline, run, scope, origin)


def _final_status(pipeline: ir.Pipeline, run: RunFacts, scope: Instance, origin: FinalStatus) -> Value:
    """Pipelines compiled with kfp 2.x were written against a backend that says COMPLETE; 3.0 says SUCCEEDED."""
    child = scope.children[origin.task]
    state = str(child.state)
    if child.state is State.SUCCEEDED and pipeline.sdk_version.startswith("kfp-2."):
        state = "COMPLETE"
    error: dict[str, Any] = {"code": child.code or 1, "message": child.failure} if child.failure else {}
    return {
        "state": state,
        "pipelineJobResourceName": run.resource_name(pipeline),
        "pipelineTaskName": child.name,
        "error": error,
    }


def _fill_constants(
    pipeline: ir.Pipeline, run: RunFacts, instance: Instance, task: Task, values: dict[str, Value]
) -> None:
    """Replace placeholders inside constants; they refer to the job and to other inputs of the same task."""
    constants = [key for key, source in task.parameters.items() if isinstance(source.origin, Constant)]
    written = [key for key in constants if "{{$" in text(values[key])]
    if not written:
        return
    scene = Scene({"inputs": {"parameterValues": dict(values)}}, job=job_values(pipeline, run, instance))
    for key in written:
        try:
            values[key] = scene.value(values[key])
        except UnknownPlaceholder as unknown:
            raise InputError(f"input {key!r}: {unknown}") from unknown


def _absent(key: str, parameter: Parameter, scope: bool) -> Value | Missing:
    if not scope and (parameter.optional or parameter.default is not MISSING):
        return MISSING  # the default of the user's own function applies
    if parameter.default is not MISSING:
        return parameter.default
    if parameter.optional:
        return None
    raise InputError(f"input {key!r} has no value: nothing was given, and it has no default")


def _artifacts(component: Component, task: Task, scope: Instance, skipped: str) -> dict[str, tuple[Artifact, ...]]:
    result: dict[str, tuple[Artifact, ...]] = {}
    for key, source in task.artifacts.items():
        if isinstance(source, FromInput):
            found = scope.inputs.artifacts.get(source.name)
        else:
            found = scope.children[source.task].outputs.artifacts.get(source.key)
        if found is not None:
            result[key] = found
    for key, slot in component.input_artifacts.items():
        if key not in result and key != skipped and not slot.optional:
            raise InputError(f"input artifact {key!r} was not made by the task it should come from")
    return result


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _root(scope: Instance) -> Instance:
    while scope.parent is not None:
        scope = scope.parent
    return scope


def _task(instance: Instance) -> Task:
    assert instance.task is not None
    return instance.task


def _scope(instance: Instance) -> Instance:
    assert instance.parent is not None
    return instance.parent
