"""The workspace of a run: one folder that all its steps share (`dsl.PipelineConfig(workspace=...)`).

Upstream makes a claim for each run and mounts it at /kfp-workspace. Here it is a folder beside the run's task folders,
so that `{{$.workspace_path}}` is a plain path that is right in every step. A step that speaks of /kfp-workspace, or
hands its volumes on to pods of its own, gets it mounted: then there is a claim as well, of the size, class and access
modes that the author asked for, and our node knows by an annotation that this folder is its volume.
"""

from __future__ import annotations

from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM, Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import Container
from fairway.pipelines.ir.values import text
from fairway.pipelines.render import folders, mounting
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Artifact, Instance, RunFacts

MOUNT, VOLUME = "/kfp-workspace", "kfp-workspace"
HOST_PATH = "fairway.dev/host-path"
COPIES = ".artifacts"


def copy(pipeline: ir.Pipeline, run: RunFacts, artifact: Artifact) -> str:
    """Where an artifact that is downloaded to the workspace lies in it, by the name that it has at its address."""
    return f"{run.workspace(pipeline)}/{COPIES}/{artifact.id}/{folders.file_name(artifact)}"


def used(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> bool:
    """Whether the step can see that there is a workspace: it has an input from it, or speaks of it."""
    if pipeline.config.workspace is None:
        return False
    if any(item.copy for items in instance.inputs.artifacts.values() for item in items):
        return True
    words = _words(instance)
    return any(word in words for word in (MOUNT, "{{$.workspace_path}}", run.workspace(pipeline)))


def claim(run: RunFacts) -> str:
    """The name of the claim, which stands for the workspace in the cache's key too: another run has another."""
    return f"{run.id}-{VOLUME}"


def claimed(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> bool:
    """Whether the step expects the workspace at upstream's place, or hands it on to pods of its own."""
    if pipeline.config.workspace is None:
        return False
    handed_on = "KUBERNETES_VOLUMES" in instance.component.passed_on
    return MOUNT in _words(instance) or (handed_on and used(pipeline, run, instance))


def mount(pod: Object, run: RunFacts) -> None:
    mounting.mount(pod, VOLUME, {"persistentVolumeClaim": {"claimName": claim(run)}}, MOUNT)


def check(pod: Object) -> None:
    """Raise InputError where something else is mounted at the workspace's place."""
    mounts = pod["spec"]["containers"][0].get("volumeMounts") or ()
    names = [each["name"] for each in mounts if f"{each['mountPath']}/".startswith(f"{MOUNT}/")]
    if VOLUME in names and len(names) > 1:
        raise InputError(f"a volume is mounted at {MOUNT}, where the workspace of the pipeline is: choose another path")


def render(pipeline: ir.Pipeline, run: RunFacts) -> Object:
    """The claim that stands for the folder where it is mounted. It goes with the run."""
    workspace = pipeline.config.workspace
    assert workspace is not None
    spec: Object = {
        "accessModes": list(workspace.access_modes or ("ReadWriteOnce",)),
        "resources": {"requests": {"storage": workspace.size}},
    }
    if workspace.storage_class:
        spec["storageClassName"] = workspace.storage_class
    return PERSISTENT_VOLUME_CLAIM.new(
        claim(run),
        run.pod_namespace,
        metadata={
            "annotations": {HOST_PATH: run.workspace(pipeline)},
            "ownerReferences": [dict(run.owner)] if run.owner else [],
        },
        spec=spec,
    )


def _words(instance: Instance) -> str:
    """All that is written down in the step, and all that it is given."""
    body = instance.component.body
    written = [*body.command, *body.args, *(value for _, value in body.env)] if isinstance(body, Container) else []
    return text([written, dict(instance.inputs.parameters)])
