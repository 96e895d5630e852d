"""What the author of a step asks of its pod, and what of that the step is told instead (`dsl.TaskConfig`).

A step that starts pods of its own, such as one that submits a TrainJob, wants its author's settings for those. Each
kind of setting that it passes on comes as a value among its inputs; its own pod has it only if it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import Container, Importer, Resources
from fairway.pipelines.placeholders import Scene, TooMuch, UnknownPlaceholder
from fairway.pipelines.render import folders, importing, inputs, platform, workspaces
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, RunFacts

_SCRATCH = ("emptyDir", "ephemeral")
"""Volumes that are a pod's own, and make no sense in another."""


@dataclass(frozen=True)
class Settings:
    """`pod` has the author's settings and nothing else; `config` is what the step is told."""

    pod: Object
    config: dict[str, Any]


def of(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Settings:
    """Raises InputError where a setting cannot be resolved."""
    asked, passed_on = container(instance), instance.component.passed_on
    scene = _scene(pipeline, run, instance)
    main: dict[str, Any] = {
        "image": _filled(scene, asked.image, "the image"),
        "env": [{"name": key, "value": _variable(scene, value)} for key, value in asked.env],
    }
    if resources := _resources(asked.resources, scene):
        main["resources"] = resources
    pod: Object = {"metadata": {}, "spec": {"containers": [main]}}
    if workspaces.claimed(pipeline, run, instance):
        workspaces.mount(pod, run)
    platform.apply(pod, pipeline, run, instance, asked.platform)
    workspaces.check(pod)
    return Settings(pod, _passed_on(pod, passed_on))


def container(instance: Instance) -> Container:
    body = instance.component.body
    if isinstance(body, Importer):
        return importing.CONTAINER
    assert isinstance(body, Container)
    return body


def _passed_on(pod: Object, fields: Mapping[str, bool]) -> dict[str, Any]:
    """Take the fields out of the pod, except those that apply to it as well. Upstream's words for unset are null."""
    unset = ("affinity", "tolerations", "nodeSelector", "env", "volumes", "volumeMounts")
    config: dict[str, Any] = {**dict.fromkeys(unset), "resources": {}}
    for field, stays in fields.items():
        config |= _TAKEN[field](pod, stays)
    return config


def _take(part: Callable[[Object], dict[str, Any]], *keys: str) -> Callable[[Object, bool], dict[str, Any]]:
    def taken(pod: Object, stays: bool) -> dict[str, Any]:
        there = part(pod)
        found = {key: there[key] for key in keys if there.get(key)}
        if not stays:
            for key in found:
                del there[key]
        return found

    return taken


def _take_volumes(pod: Object, stays: bool) -> dict[str, Any]:
    spec, main = pod["spec"], pod["spec"]["containers"][0]
    volumes = [each for each in spec.get("volumes") or () if not any(kind in each for kind in _SCRATCH)]
    taken = {each["name"] for each in volumes}
    mounts = [each for each in main.get("volumeMounts") or () if each["name"] in taken]
    if volumes and not stays:
        spec["volumes"] = [each for each in spec["volumes"] if each["name"] not in taken]
        main["volumeMounts"] = [each for each in main["volumeMounts"] if each["name"] not in taken]
    return {"volumes": volumes, "volumeMounts": mounts} if volumes else {}


def _spec(pod: Object) -> dict[str, Any]:
    spec: dict[str, Any] = pod["spec"]
    return spec


def _main(pod: Object) -> dict[str, Any]:
    main: dict[str, Any] = pod["spec"]["containers"][0]
    return main


_TAKEN: dict[str, Callable[[Object, bool], dict[str, Any]]] = {
    "RESOURCES": _take(_main, "resources"),
    "ENV": _take(_main, "env"),
    "KUBERNETES_AFFINITY": _take(_spec, "affinity"),
    "KUBERNETES_TOLERATIONS": _take(_spec, "tolerations"),
    "KUBERNETES_NODE_SELECTOR": _take(_spec, "nodeSelector"),
    "KUBERNETES_VOLUMES": _take_volumes,
}


def _scene(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Scene:
    folder = folders.path(folders.address(pipeline, run, instance))
    job = inputs.job_values(pipeline, run, instance)
    besides = {**inputs.defaults(instance.component), **instance.extras}
    given = folders.executor_input(instance, folder, folders.remote(pipeline, run, instance))
    return Scene(given, defaults=besides, job=job)


def _filled(scene: Scene, written: str, what: str) -> str:
    try:
        return scene.filled(written)
    except UnknownPlaceholder as unknown:
        raise InputError(f"{what} of the step: {unknown}") from unknown


def _variable(scene: Scene, written: str) -> str:
    """Upstream leaves variables as they are; a text that only looks like a placeholder stays what it is."""
    try:
        return scene.filled(written)
    except TooMuch as wrong:
        raise InputError(f"a variable of the step: {wrong}") from wrong
    except UnknownPlaceholder:
        return written


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
