"""The pod of a step: one container that runs `inpod` on the step's task folder, or a step's own image and `inpod`
beside it.

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
from fairway.pipelines.render import beside, folders, platform, python_steps, settings, workspaces
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
    container = settings.container(instance)
    python = python_steps.recognised(container.command)
    installs = python.installs if python else python_steps.installs((*container.command, *container.args))
    asked = settings.of(pipeline, run, instance).pod
    main = asked["spec"]["containers"][0]
    main["env"] = _environment(run, main.get("env") or [])
    apart = beside.needed(run, instance, asked)
    if apart:
        spec = beside.spec(pipeline, run, instance, COMMAND, asked["spec"])
        python, installs = None, False
    else:
        args = [folders.address(pipeline, run, instance)]
        spec = {**asked["spec"], "containers": [main | {"name": "main", "command": COMMAND, "args": args}]}
    labels = {RUN_LABEL: run.id, UPSTREAM_RUN_LABEL: run.id, TASK_LABEL: instance.id}
    annotations = {
        ATTEMPT: str(instance.attempts - 1),
        WARM: python.warm if python else "kfp",
        **({REQUIREMENTS: json.dumps(python.requirements)} if python and python.requirements else {}),
        **({INSTALLS: "true"} if installs else {}),
    }
    return POD.new(
        instance.pod,
        run.pod_namespace,
        metadata={
            "labels": {**(asked["metadata"].get("labels") or {}), **labels},
            "annotations": {**(asked["metadata"].get("annotations") or {}), **annotations},
            "ownerReferences": [dict(run.owner)] if run.owner else [],
        },
        spec={
            "restartPolicy": "Never",
            **spec,
            **({"serviceAccountName": run.service_account} if run.service_account else {}),
        },
    )


def claims(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> list[str]:
    """The names of the PersistentVolumeClaims that the step mounts, and what stands for the workspace if it is used."""
    mounted = platform.claims(pipeline, run, instance, settings.container(instance).platform)
    return [*mounted, workspaces.claim(run)] if workspaces.used(pipeline, run, instance) else mounted


def task_of(pod: Object) -> tuple[str, int] | None:
    """(task id, attempt) of a step's pod."""
    metadata = pod["metadata"]
    task_id = (metadata.get("labels") or {}).get(TASK_LABEL)
    attempt = (metadata.get("annotations") or {}).get(ATTEMPT)
    return (str(task_id), int(attempt)) if task_id and attempt and attempt.isdigit() else None


def folder_of(pod: Object) -> str:
    """The address of the task folder that a step's pod was given; empty for other pods."""
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        if container.get("command") == COMMAND and container.get("args"):
            return str(container["args"][0])
    return ""


def _environment(run: RunFacts, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the author sets wins over the address, and our names of the pod over what the author sets."""
    return [
        *([{"name": ENDPOINT, "value": run.api_url}] if run.api_url else []),
        *asked,
        {"name": "KFP_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "KFP_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
    ]
