"""A user's container and pod laid over a runtime's, as Kubernetes' strategic merge does it, and what stands in braces.

Lists whose entries have names are merged entry by entry, all other lists are replaced; arguments are added to the
runtime's, as KServe has it. Pure.
"""

from __future__ import annotations

import re
from typing import Any

from fairway.kernel.objects import strategic
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place
from fairway.serving.spec.refusals import NotSupported

_KEYS = {
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "volumes": "name",
    "imagePullSecrets": "name",
    "resourceClaims": "name",
    "hostAliases": "ip",
    "initContainers": "name",
    "topologySpreadConstraints": "topologyKey",
}
"""The lists of a container and of a pod that are merged entry by entry, each with what its entries are known by."""

_BRACES = re.compile(r"\{\{\s*\.(Name|Namespace|Labels|Annotations)(?:\.([\w.\-/]+))?\s*\}\}")


def container(base: Object, over: Object) -> Object:
    """`over` laid over `base`; the arguments of both, the runtime's first."""
    merged = lay(base, {key: value for key, value in over.items() if key != "args"})
    arguments = [*(base.get("args") or ()), *(over.get("args") or ())]
    if over.get("env"):
        merged["env"] = _one_source(merged["env"], over["env"])
    return {**merged, "args": arguments} if arguments else merged


def lay(base: Object, over: Object) -> Object:
    lists = {
        name: {"items": {}, "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": key}
        for name, key in _KEYS.items()
    }
    return strategic.merge(base, over, Place({"properties": lists}))


def filled(part: Any, metadata: Object, where: str) -> Any:
    """`part` with {{.Name}}, {{.Namespace}}, {{.Labels.k}} and {{.Annotations.k}} as the service has them.

    A label or annotation that it does not have is empty. Raises NotSupported for other braces.
    """
    if isinstance(part, str):
        return _text(part, metadata, where) if "{{" in part else part
    if isinstance(part, dict):
        return {key: filled(value, metadata, where) for key, value in part.items()}
    if isinstance(part, list):
        return [filled(value, metadata, where) for value in part]
    return part


def _one_source(merged: list[Object], over: list[Object]) -> list[Object]:
    """A variable has a value or a reference to one: the user's, where the runtime has the other."""
    own = {entry["name"]: entry for entry in over}
    return [own.get(entry["name"], entry) for entry in merged]


def _text(text: str, metadata: Object, where: str) -> str:
    def value(found: re.Match[str]) -> str:
        field, key = found[1], found[2]
        if field in ("Name", "Namespace"):
            return str(metadata.get(field.lower()) or "")
        return str((metadata.get(field.lower()) or {}).get(key) or "")

    result = _BRACES.sub(value, text)
    if "{{" in result:
        known = "{{.Name}}, {{.Namespace}}, {{.Labels.key}} and {{.Annotations.key}}"
        text = f"{where}: {text!r} has braces that cannot be filled in; use {known}."
        raise NotSupported("InvalidPredictorSpec", [text])
    return result
