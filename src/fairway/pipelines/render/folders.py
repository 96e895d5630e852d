"""The task folder: where it is, and what a step finds in it.

    <root>/<pipeline>/<run>/<task>/<task id>[-<attempt>]/
        task.json        what to run, written before the pod starts
        inputs/          copies of input artifacts that are kept elsewhere
        started          made by the step when it begins: a step runs once, whatever starts it
        outputs/         artifacts by name, and what kfp's executor leaves
        parameters/      files that containers write output parameters to
        outcome.json     how it ended, written last and at once: its presence means that the step is over

Addresses inside the step are plain paths, since kfp takes any address it does not know for a path. Where the run keeps
its artifacts in a bucket, an output has its address there, and its path is the one here, from where the engine takes
it once the step has ended:

    <remote>/<pipeline>/<run>/<task>/<task id>[-<attempt>]/<name>
"""

from __future__ import annotations

from typing import Any

from fairway.pipelines import far, ir
from fairway.pipelines.render.model import Artifact, Instance, RunFacts

TASK, OUTCOME, STARTED, TAKEN = "task.json", "outcome.json", "started", "taken.json"
LOG = "executor-logs"
_NAMELESS = "artifact"
_LONGEST_NAME = 200
"""Bytes. While a file is brought it has a longer name beside it."""


def address(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> str:
    """Of the newest attempt."""
    return f"{run.root}/{_key(pipeline, run, instance)}"


def remote(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> str:
    """Under which address the artifacts of the newest attempt are kept; empty where that is the task folder."""
    return f"{run.remote}/{_key(pipeline, run, instance)}" if run.remote else ""


def copy(folder: str, item: Artifact) -> str:
    """Where an artifact from elsewhere lies for the step, by the name that it has at its address."""
    return f"{folder}/inputs/{item.id}/{file_name(item)}"


def file_name(item: Artifact) -> str:
    """The name at its address, or else its own, as far as a file in a folder can have it: both are what a step, or
    whoever registered the artifact, says."""
    for told in (item.uri.rstrip("/").rpartition("/")[2].partition("?")[0], item.name):
        if told not in ("", ".", "..") and "/" not in told and "\0" not in told and len(told.encode()) <= _LONGEST_NAME:
            return told
    return _NAMELESS


def executor_input(instance: Instance, folder: str, remote: str = "") -> dict[str, Any]:
    """KFP's ExecutorInput. Maps that would be empty are left out, as upstream does."""
    component = instance.component
    given: dict[str, Any] = {}
    if instance.inputs.parameters:
        given["parameterValues"] = instance.inputs.parameters
    if instance.inputs.artifacts:
        given["artifacts"] = {
            key: {"artifacts": [_input_artifact(item, folder) for item in items]}
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
                        "metadata": dict(slot.metadata),
                        **_place(f"{folder}/outputs/{key}", f"{remote}/{key}" if remote else ""),
                    }
                ]
            }
            for key, slot in component.output_artifacts.items()
        }
    return {**({"inputs": given} if given else {}), "outputs": made}


def path(uri: str) -> str:
    """The plain path of a file address; other addresses stay as they are."""
    return uri.removeprefix("file://")


def _key(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> str:
    attempt = f"-{instance.attempts - 1}" if instance.attempts > 1 else ""
    return f"{pipeline.name}/{run.id}/{instance.name}/{instance.id}{attempt}"


def _place(here: str, there: str) -> dict[str, str]:
    return {"uri": there, "customPath": here} if there else {"uri": here}


def _input_artifact(item: Artifact, folder: str) -> dict[str, Any]:
    type_ = {"schemaTitle": item.type, "schemaVersion": item.version}
    found = item.copy or (copy(folder, item) if folder and far.is_far(item.uri) else "")
    place = {"customPath": found} if found else {}
    return {"name": item.id, "type": type_, "uri": path(item.uri), "metadata": dict(item.metadata), **place}
