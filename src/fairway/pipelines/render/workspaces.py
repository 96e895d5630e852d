"""The workspace of a run: one folder that all its steps share (`dsl.PipelineConfig(workspace=...)`).

Upstream makes a claim for each run and mounts it at /kfp-workspace. Here it is a folder beside the run's task folders,
so that `{{$.workspace_path}}` is a plain path that is right in every step; steps that speak of /kfp-workspace find it
mounted there too. It stays with the run. Its size is that of the disk, and the claim's class and access modes have
nothing to say.
"""

from __future__ import annotations

from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import Container
from fairway.pipelines.ir.values import text
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Artifact, Instance, RunFacts

MOUNT = "/kfp-workspace"
COPIES = ".artifacts"


def copy(pipeline: ir.Pipeline, run: RunFacts, artifact: Artifact) -> str:
    """Where an artifact that is downloaded to the workspace lies in it, by the name that it has at its address."""
    name = artifact.uri.rstrip("/").rpartition("/")[2].partition("?")[0] or artifact.name
    return f"{run.workspace(pipeline)}/{COPIES}/{artifact.id}/{name}"


def used(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> bool:
    """Whether the step can see that there is a workspace: it has an input from it, or speaks of it."""
    if pipeline.config.workspace is None:
        return False
    if any(item.copy for items in instance.inputs.artifacts.values() for item in items):
        return True
    words = _words(instance)
    return any(word in words for word in (MOUNT, "{{$.workspace_path}}", run.workspace(pipeline)))


def claim(run: RunFacts) -> str:
    """What stands for the workspace in the cache's key: another run has another."""
    return f"{run.id}-kfp-workspace"


def mount(pod: Object, pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> None:
    """Give the pod the folder at upstream's place, if the step speaks of it."""
    if pipeline.config.workspace is None or MOUNT not in _words(instance):
        return
    main: dict[str, Any] = pod["spec"]["containers"][0]
    mounts = main.setdefault("volumeMounts", [])
    if any(str(other["mountPath"]).rstrip("/").startswith(MOUNT) for other in mounts):
        raise InputError(f"a volume is mounted at {MOUNT}, where the workspace of the pipeline is: choose another path")
    volume = {"hostPath": {"path": run.workspace(pipeline), "type": "DirectoryOrCreate"}}
    pod["spec"].setdefault("volumes", []).append({"name": "kfp-workspace", **volume})
    mounts.append({"name": "kfp-workspace", "mountPath": MOUNT})


def _words(instance: Instance) -> str:
    """All that is written down in the step, and all that it is given."""
    body = instance.component.body
    written = [*body.command, *body.args, *(value for _, value in body.env)] if isinstance(body, Container) else []
    return text([written, dict(instance.inputs.parameters)])
