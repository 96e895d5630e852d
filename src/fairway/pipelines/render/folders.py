"""The task folder: where it is, and what a step finds in it.

    <root>/<pipeline>/<run>/<task>/<task id>[-<attempt>]/
        task.json        what to run, written before the pod starts
        started          made by the step when it begins: a step runs once, whatever starts it
        outputs/         artifacts by name, and what kfp's executor leaves
        parameters/      files that containers write output parameters to
        outcome.json     how it ended, written last and at once: its presence means that the step is over

Addresses inside the step are plain paths, since kfp takes any address it does not know for a path.
"""

from __future__ import annotations

from typing import Any

from fairway.pipelines import ir
from fairway.pipelines.render.model import Artifact, Instance, RunFacts

TASK, OUTCOME, STARTED = "task.json", "outcome.json", "started"
LOG = "executor-logs"


def address(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> str:
    """Of the newest attempt."""
    attempt = f"-{instance.attempts - 1}" if instance.attempts > 1 else ""
    return f"{run.root}/{pipeline.name}/{run.id}/{instance.name}/{instance.id}{attempt}"


def executor_input(instance: Instance, folder: str) -> dict[str, Any]:
    """KFP's ExecutorInput. Maps that would be empty are left out, as upstream does."""
    component = instance.component
    given: dict[str, Any] = {}
    if instance.inputs.parameters:
        given["parameterValues"] = instance.inputs.parameters
    if instance.inputs.artifacts:
        given["artifacts"] = {
            key: {"artifacts": [_input_artifact(item) for item in items]}
            for key, items in instance.inputs.artifacts.items()
        }
    made: dict[str, Any] = {"outputFile": f"{folder}/outputs/executor_output.json"}
    if component.output_parameters:
        made["parameters"] = {key: {"outputFile": f"{folder}/parameters/{key}"} for key in component.output_parameters}
    if component.output_artifacts:
        made["artifacts"] = {
            key: {
                "artifacts": [
                    {
                        "name": key,
                        "type": slot.type.wire(),
                        "uri": f"{folder}/outputs/{key}",
                        "metadata": dict(slot.metadata),
                    }
                ]
            }
            for key, slot in component.output_artifacts.items()
        }
    return {**({"inputs": given} if given else {}), "outputs": made}


def path(uri: str) -> str:
    """The plain path of a file address; other addresses stay as they are."""
    return uri.removeprefix("file://")


def _input_artifact(item: Artifact) -> dict[str, Any]:
    type_ = {"schemaTitle": item.type, "schemaVersion": item.version}
    place = {"customPath": item.copy} if item.copy else {}
    return {"name": item.id, "type": type_, "uri": path(item.uri), "metadata": dict(item.metadata), **place}
