"""What a step finds in task.json: all that `inpod` needs to run it, and nothing of the pod around it."""

from __future__ import annotations

from typing import Any

from fairway.pipelines import ir
from fairway.pipelines.ir.model import Importer, ParameterType
from fairway.pipelines.render import folders, importing, inputs, python_steps, settings, workspaces
from fairway.pipelines.render.model import Instance, RunFacts


def content(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> dict[str, Any]:
    """Raises InputError where a setting that the step is told of cannot be resolved."""
    component, body = instance.component, settings.container(instance)
    fetch = importing.fetch(pipeline, run, instance) if isinstance(component.body, Importer) else {}
    return {
        "name": instance.name,
        "taskId": instance.id,
        "runId": run.id,
        "attempt": instance.attempts - 1,
        "python": python_steps.recognised(body.command) is not None,
        "command": list(body.command),
        "args": list(body.args),
        "executorInput": _executor_input(pipeline, run, instance),
        "defaults": inputs.defaults(component),
        "job": inputs.job_values(pipeline, run, instance),
        "outputs": {key: str(declared.type) for key, declared in component.output_parameters.items()},
        **({"fetch": fetch} if fetch else {}),
        **({"digests": True} if run.digests else {}),
        **({"stops": list(body.stops)} if body.stops else {}),
        **({"workspace": run.workspace(pipeline)} if workspaces.used(pipeline, run, instance) else {}),
    }


def _executor_input(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> dict[str, Any]:
    """With the author's settings in the inputs that are for them: nobody else has a value for those."""
    folder, remote = folders.path(folders.address(pipeline, run, instance)), folders.remote(pipeline, run, instance)
    given = folders.executor_input(instance, folder, remote)
    declared = instance.component.input_parameters.items()
    told = [key for key, parameter in declared if parameter.type is ParameterType.TASK_CONFIG]
    if told:
        config = settings.of(pipeline, run, instance).config
        sides = given.setdefault("inputs", {})
        sides["parameterValues"] = {**sides.get("parameterValues", {}), **dict.fromkeys(told, config)}
    return given
