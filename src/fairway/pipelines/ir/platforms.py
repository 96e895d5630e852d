"""The Kubernetes platform document of a step (kfp-kubernetes), checked: every setting is known, and complete.

What the settings do to a pod is in `render.platform`; which names they come to is known only when the step starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairway.pipelines.ir import tasks
from fairway.pipelines.ir.reading import Node
from fairway.pipelines.ir.values import plain

Check = Callable[[Node], None]

RESERVED = ("main", "kfp-launcher")
"""Names of containers that an author's own init container cannot have."""

_BY_SOURCE = (
    *("secretNameParameter", "configMapNameParameter", "pvcNameParameter"),
    *("nodeSelectorJson", "tolerationJson", "nodeAffinityJson"),
)
_CLAIM_SOURCES = ("pvcNameParameter", "constant", "componentInputParameter", "taskOutputParameter")
_POLICIES = ("Always", "IfNotPresent", "Never")


def check(document: Node) -> Mapping[str, Any]:
    """The settings with whole numbers plain. Raises InvalidPipeline with the place of what is wrong."""
    document.refuse_others(_SETTINGS, "the Kubernetes setting")
    found = {}
    for setting, content in document.value.items():
        if content:
            _SETTINGS[setting](document, setting)
            found[setting] = plain(content)
    return found


def _each(known: tuple[str, ...], *checks: Check) -> Callable[[Node, str], None]:
    """A list of mappings with these keys."""

    def check_list(document: Node, setting: str) -> None:
        for node in document.entries(setting):
            node.refuse_others(known, "the key")
            for check in (_sources, *checks):
                check(node)

    return check_list


def _one(known: tuple[str, ...], *checks: Check) -> Callable[[Node, str], None]:
    """One mapping with these keys."""

    def check_mapping(document: Node, setting: str) -> None:
        node = document.node(setting)
        node.refuse_others(known, "the key")
        for check in (_sources, *checks):
            check(node)

    return check_mapping


def _sources(node: Node) -> None:
    """What is given by a constant, an input or another task's output says which."""
    for key in node.value:
        if key in _BY_SOURCE and node.get(key) is not None:
            source = node.node(key)
            if not source.has("constant"):
                tasks.parameter_source(source)


def _any_of(*keys: str) -> Check:
    def check(node: Node) -> None:
        if not any(node.get(key) for key in keys):
            raise node.wrong(f"this needs {' or '.join(keys)}")

    return check


def _mounted(node: Node) -> None:
    """A path that is not absolute is taken from the root, as the kubelet does."""
    if not node.text("mountPath"):
        raise node.wrong("this needs a mountPath")


def _keys(name: str) -> Check:
    def check(node: Node) -> None:
        for entry in node.entries("keyToEnv"):
            if not entry.get(name) or not entry.get("envVar"):
                raise node.wrong(f"each of keyToEnv needs {name} and envVar")

    return check


def _whole(*keys: str) -> Check:
    """Whole numbers, which may come as texts: 64 bits do in JSON."""

    def check(node: Node) -> None:
        for key in keys:
            if node.has(key):
                try:
                    int(plain(node.get(key)))
                except (TypeError, ValueError):
                    raise node.wrong(f"{key} {node.get(key)!r} must be a whole number") from None

    return check


def _deadline(document: Node, setting: str) -> None:
    _whole(setting)(document)
    if int(plain(document.get(setting))) < 0:
        raise document.wrong(f"{setting} cannot be negative")


def _pull_policy(document: Node, setting: str) -> None:
    if document.text(setting) not in _POLICIES:
        raise document.wrong(f"{setting} {document.text(setting)!r} is not known; use one of {', '.join(_POLICIES)}")


def _not_root(node: Node) -> None:
    if node.get("runAsNonRoot") and str(plain(node.get("runAsUser", ""))) == "0":
        raise node.wrong("runAsUser is 0, which is root, and runAsNonRoot is set: use another user")


def _init_containers(document: Node, setting: str) -> None:
    known = ("name", "image", "command", "args", "env", "volumeMounts", "restartPolicy", "resources")
    _each(known, _any_of("name"), _any_of("image"), _init_container)(document, setting)
    names = [entry["name"] for entry in document.list(setting)]
    for name in names:
        if name in RESERVED or names.count(name) > 1:
            raise document.wrong(f"the name {name!r} of an init container is taken: give it another")


def _init_container(node: Node) -> None:
    if node.text("restartPolicy") not in ("", "Always"):
        raise node.wrong("restartPolicy of an init container can only be Always, which makes it a sidecar")
    _each(("name", "value"), _any_of("name"))(node, "env")
    _each(("volumeName", "mountPath"), _any_of("volumeName"), _mounted)(node, "volumeMounts")
    node.node("resources").refuse_others(("requests", "limits"), "the key")


_SETTINGS: dict[str, Callable[[Node, str], None]] = {
    "secretAsEnv": _each(
        ("secretName", "secretNameParameter", "keyToEnv", "optional"),
        _any_of("secretName", "secretNameParameter"),
        _keys("secretKey"),
    ),
    "secretAsVolume": _each(
        ("secretName", "secretNameParameter", "mountPath", "optional"),
        _any_of("secretName", "secretNameParameter"),
        _mounted,
    ),
    "configMapAsEnv": _each(
        ("configMapName", "configMapNameParameter", "keyToEnv", "optional"),
        _any_of("configMapName", "configMapNameParameter"),
        _keys("configMapKey"),
    ),
    "configMapAsVolume": _each(
        ("configMapName", "configMapNameParameter", "mountPath", "optional"),
        _any_of("configMapName", "configMapNameParameter"),
        _mounted,
    ),
    "pvcMount": _each((*_CLAIM_SOURCES, "mountPath", "subPath"), _any_of(*_CLAIM_SOURCES), _mounted),
    "genericEphemeralVolume": _each(
        (
            "volumeName",
            "mountPath",
            "accessModes",
            "size",
            "defaultStorageClass",
            "storageClassName",
            "metadata",
        ),
        _any_of("volumeName"),
        _any_of("size"),
        _mounted,
    ),
    "emptyDirMounts": _each(("volumeName", "mountPath", "medium", "sizeLimit"), _any_of("volumeName"), _mounted),
    "enabledSharedMemory": _one(("volumeName", "size")),
    "nodeSelector": _one(("labels", "nodeSelectorJson")),
    "tolerations": _each(
        ("key", "operator", "value", "effect", "tolerationSeconds", "tolerationJson"), _whole("tolerationSeconds")
    ),
    "nodeAffinity": _each(("matchExpressions", "matchFields", "weight", "nodeAffinityJson"), _whole("weight")),
    "podAffinity": _each(
        (
            "matchPodExpressions",
            "matchPodLabels",
            "topologyKey",
            "namespaces",
            "matchNamespaceExpressions",
            "matchNamespaceLabels",
            "weight",
            "anti",
        ),
        _any_of("topologyKey"),
        _whole("weight"),
    ),
    "podMetadata": _one(("labels", "annotations")),
    "fieldPathAsEnv": _each(("name", "fieldPath"), _any_of("name"), _any_of("fieldPath")),
    "imagePullSecret": _each(("secretName", "secretNameParameter"), _any_of("secretName", "secretNameParameter")),
    "imagePullPolicy": _pull_policy,
    "activeDeadlineSeconds": _deadline,
    "securityContext": _one(("runAsUser", "runAsGroup", "runAsNonRoot"), _whole("runAsUser", "runAsGroup"), _not_root),
    "initContainers": _init_containers,
}
