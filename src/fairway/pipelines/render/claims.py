"""PersistentVolumeClaims that a pipeline asks for with kfp-kubernetes' CreatePVC: their names and manifests.

A claim has no owner: it outlives its run until DeletePVC or a person deletes it, as upstream's do. A name that is
made is made from the task, so that a claim that is asked for twice is there once.
"""

from __future__ import annotations

from typing import Any

from fairway.kernel.objects import names
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM, Object
from fairway.pipelines.ir.values import text
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, RunFacts
from fairway.pipelines.render.pods import RUN_LABEL, TASK_LABEL
from fairway.pipelines.render.workspaces import HOST_PATH

_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_STRUCTURED: dict[str, type] = {"access_modes": list, "annotations": dict, "data_source": dict}
_REFERENCE = ("apiGroup", "kind", "name")


def name(instance: Instance) -> str:
    """Of the claim that the step makes or deletes."""
    given = instance.inputs.parameters
    own, suffix = text(given.get("pvc_name") or ""), text(given.get("pvc_name_suffix") or "")
    if own and suffix:
        raise InputError("both pvc_name and pvc_name_suffix are given, and a claim has one name: give one of them")
    result = own or f"{instance.id}{suffix}"
    if not names.dns_subdomain(result):
        raise InputError(
            f"{result!r} cannot be the name of a volume claim: use lower case letters, digits, '-' and '.'"
        )
    return result


def render(run: RunFacts, instance: Instance) -> Object:
    """The claim. Raises InputError where it cannot be what is asked for."""
    given = instance.inputs.parameters
    for key, kind in _STRUCTURED.items():
        if not isinstance(given.get(key) or kind(), kind):
            raise InputError(f"{key} is {text(given[key])}, and must be {'a list' if kind is list else 'a struct'}")
    modes = given.get("access_modes") or []
    unknown = [mode for mode in modes if mode not in _MODES]
    if not modes or unknown:
        found = f"has {text(unknown)}" if unknown else "is empty"
        raise InputError(f"access_modes {found}; a volume claim has one or more of {', '.join(_MODES)}")
    spec: Object = {"accessModes": list(modes), "resources": {"requests": {"storage": text(given.get("size") or "")}}}
    if given.get("storage_class_name") is not None:
        spec["storageClassName"] = given["storage_class_name"]
    if given.get("volume_name"):
        spec["volumeName"] = given["volume_name"]
    if HOST_PATH in (given.get("annotations") or {}):
        raise InputError(f"the annotation {HOST_PATH} is the platform's own: mount a volume claim that names a volume")
    if given.get("data_source"):
        spec["dataSource"] = _reference(given["data_source"])
    return PERSISTENT_VOLUME_CLAIM.new(
        name(instance),
        run.pod_namespace,
        metadata={
            "labels": {RUN_LABEL: run.id, TASK_LABEL: instance.id},
            "annotations": {key: text(value) for key, value in (given.get("annotations") or {}).items()},
        },
        spec=spec,
    )


def made_by(claim: Object, instance: Instance) -> bool:
    return bool((claim["metadata"].get("labels") or {}).get(TASK_LABEL) == instance.id)


def _reference(given: dict[str, Any]) -> Object:
    unknown = sorted(given.keys() - set(_REFERENCE))
    if unknown or not given.get("kind") or not given.get("name"):
        raise InputError(f"data_source is {text(given)}, and needs a kind, a name and, outside the core, an apiGroup")
    return {key: text(given[key]) for key in _REFERENCE if given.get(key)}
