"""The pod of a step: one container that runs `inpod` on the step's task folder.

The name is made from the task and the attempt, so that a pod that is asked for twice is there once. What differs
between clusters is only said, never relied on: a real Kubernetes ignores our annotations.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fairway.kernel.objects import names
from fairway.kernel.objects.kinds import POD, Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import MISSING, Container, Importer, Resources
from fairway.pipelines.placeholders import Scene, UnknownPlaceholder
from fairway.pipelines.render import folders, importing, inputs, platform, python_steps, workspaces
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, RunFacts

RUN_LABEL = "pipelines.fairway.dev/run"
TASK_LABEL = "pipelines.fairway.dev/task"
UPSTREAM_RUN_LABEL = "pipeline/runid"
ATTEMPT = "pipelines.fairway.dev/attempt"
WARM = "fairway.dev/warm"
REQUIREMENTS = "fairway.dev/requirements"
ENDPOINT = "KF_PIPELINES_ENDPOINT"
"""Where upstream's own clients look for the API, and so does our SDK."""
INSTALLS = "fairway.dev/installs"
COMMAND = ["python3", "-m", "fairway.pipelines.inpod"]

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def name(instance: Instance) -> str:
    """Of the newest attempt."""
    readable = _NOT_IN_NAMES.sub("-", instance.name.lower()).strip("-") or "step"
    return names.child(readable[:40].rstrip("-"), instance.id.replace("-", "")[:16], str(instance.attempts - 1))


def render(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Object:
    """The pod of the newest attempt. Raises InputError where a setting cannot be resolved."""
    container = _container(instance)
    scene = _scene(pipeline, run, instance)
    python = python_steps.recognised(container.command)
    installs = python.installs if python else python_steps.installs((*container.command, *container.args))
    main: dict[str, Any] = {
        "name": "main",
        "image": _filled(scene, container.image, "the image"),
        "command": COMMAND,
        "args": [folders.address(pipeline, run, instance)],
        "env": _environment(run, container, scene),
    }
    resources = _resources(container.resources, scene)
    if resources:
        main["resources"] = resources
    pod = POD.new(
        instance.pod,
        run.pod_namespace,
        metadata={
            "labels": {RUN_LABEL: run.id, UPSTREAM_RUN_LABEL: run.id, TASK_LABEL: instance.id},
            "annotations": {
                ATTEMPT: str(instance.attempts - 1),
                WARM: python.warm if python else "kfp",
                **({REQUIREMENTS: json.dumps(python.requirements)} if python and python.requirements else {}),
                **({INSTALLS: "true"} if installs else {}),
            },
            "ownerReferences": [dict(run.owner)] if run.owner else [],
        },
        spec={
            "restartPolicy": "Never",
            "containers": [main],
            **({"serviceAccountName": run.service_account} if run.service_account else {}),
        },
    )
    platform.apply(pod, pipeline, run, instance, container.platform)
    workspaces.mount(pod, pipeline, run, instance)
    return pod


def claims(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> list[str]:
    """The names of the PersistentVolumeClaims that the step mounts, and what stands for the workspace if it is used."""
    mounted = platform.claims(pipeline, run, instance, _container(instance).platform)
    return [*mounted, workspaces.claim(run)] if workspaces.used(pipeline, run, instance) else mounted


def task_of(pod: Object) -> tuple[str, int] | None:
    """(task id, attempt) of a step's pod."""
    metadata = pod["metadata"]
    task_id = (metadata.get("labels") or {}).get(TASK_LABEL)
    attempt = (metadata.get("annotations") or {}).get(ATTEMPT)
    return (str(task_id), int(attempt)) if task_id and attempt and attempt.isdigit() else None


def _container(instance: Instance) -> Container:
    body = instance.component.body
    if isinstance(body, Importer):
        return importing.CONTAINER
    assert isinstance(body, Container)
    return body


def _scene(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Scene:
    folder = folders.path(folders.address(pipeline, run, instance))
    job = inputs.job_values(pipeline, run, instance)
    return Scene(folders.executor_input(instance, folder), defaults=_besides_inputs(instance), job=job)


def _filled(scene: Scene, written: str, what: str) -> str:
    try:
        return scene.filled(written)
    except UnknownPlaceholder as unknown:
        raise InputError(f"{what} of the step: {unknown}") from unknown


def _variable(scene: Scene, written: str) -> str:
    """Upstream leaves variables as they are; a text that only looks like a placeholder stays what it is."""
    try:
        return scene.filled(written)
    except UnknownPlaceholder:
        return written


def _environment(run: RunFacts, container: Container, scene: Scene) -> list[dict[str, Any]]:
    """What the author sets wins over the address, and our names of the pod over what the author sets."""
    return [
        *([{"name": ENDPOINT, "value": run.api_url}] if run.api_url else []),
        *({"name": key, "value": _variable(scene, value)} for key, value in container.env),
        {"name": "KFP_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "KFP_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
    ]


def _resources(resources: Resources, scene: Scene) -> dict[str, dict[str, str]]:
    """An amount that comes out empty was left out by whoever started the run."""
    limits = {key: _filled(scene, amount, f"the limit of {key}") for key, amount in resources.limits.items()}
    requests = {key: _filled(scene, amount, f"the request of {key}") for key, amount in resources.requests.items()}
    if resources.accelerator:
        kind, count = (_filled(scene, written, "the accelerator") for written in resources.accelerator)
        if count not in ("", "0"):
            limits[kind] = count
    sides = {"limits": limits, "requests": requests}
    given = {side: {key: amount for key, amount in amounts.items() if amount} for side, amounts in sides.items()}
    return {side: amounts for side, amounts in given.items() if amounts}


def _besides_inputs(instance: Instance) -> dict[str, Any]:
    declared = instance.component.input_parameters
    defaults = {key: entry.default for key, entry in declared.items() if entry.default is not MISSING}
    return {**defaults, **instance.extras}
