"""The Kubernetes platform document of a step (kfp-kubernetes), as fields of its pod.

Names may be constants, inputs of the surrounding scope, or outputs of siblings. Null skips the setting, as upstream
does. Which settings there are, and that they are complete, is checked in `ir.platforms`; each has one function here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import MISSING, InvalidPipeline
from fairway.pipelines.ir.reading import Node
from fairway.pipelines.ir.tasks import parameter_source
from fairway.pipelines.ir.values import text
from fairway.pipelines.render import affinity, inputs, mounting
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, RunFacts

Resolve = Callable[[Any], Any]
"""From a source in the document to its value; None where there is none."""


def apply(pod: Object, pipeline: ir.Pipeline, run: RunFacts, instance: Instance, document: Mapping[str, Any]) -> None:
    """Add what the document says to a pod that nobody else has seen yet. Raises InputError."""
    resolve = _resolver(pipeline, run, instance)
    for setting, add in _SETTINGS.items():
        if document.get(setting):
            try:
                add(pod, document[setting], resolve)
            except (AttributeError, KeyError, TypeError, ValueError) as wrong:  # a value that was known only now
                raise InputError(f"{setting} is not what Kubernetes has under that name: {wrong}") from wrong


def claims(pipeline: ir.Pipeline, run: RunFacts, instance: Instance, document: Mapping[str, Any]) -> list[str]:
    """The names of the claims that are mounted."""
    resolve = _resolver(pipeline, run, instance)
    return [name for entry in document.get("pvcMount") or () if (name := _claim(entry, resolve))]


def _resolver(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Resolve:
    scope = instance.parent if instance.whole else instance
    assert scope is not None

    def resolve(source: Any) -> Any:
        written = {"runtimeValue": {"constant": source["constant"]}} if "constant" in source else source
        try:
            found = parameter_source(Node(written, instance.name))
        except InvalidPipeline as wrong:
            raise InputError(f"a Kubernetes setting of the step: {wrong}") from wrong
        value = inputs.resolved(pipeline, run, scope, instance, found)
        return None if value is MISSING else value

    return resolve


def _name(entry: Mapping[str, Any], key: str, resolve: Resolve) -> str:
    """The name under `keyParameter`, or under its older twin `key`; empty where it is null."""
    if f"{key}Parameter" in entry:
        return text(resolve(entry[f"{key}Parameter"]) or "")
    return str(entry.get(key) or "")


def _claim(entry: Mapping[str, Any], resolve: Resolve) -> str:
    """A claim's older form has the source in the entry itself."""
    return _name(entry, "pvcName", resolve) if "pvcNameParameter" in entry else text(resolve(entry) or "")


def _json(source: Any, resolve: Resolve, kinds: tuple[type, ...], setting: str) -> Any:
    """The value of a setting that is given as a whole; None where it is null."""
    value = resolve(source)
    if value is not None and not isinstance(value, kinds):
        raise InputError(f"{setting} is {text(value)}, and must be what Kubernetes has under that name")
    return value


def _environment(kind: str, key_name: str) -> Callable[[Object, Any, Resolve], None]:
    """secretAsEnv and configMapAsEnv differ in their words only."""
    reference = f"{kind}KeyRef"

    def set_environment(pod: Object, content: Any, resolve: Resolve) -> None:
        for entry in content:
            name = _name(entry, f"{kind}Name", resolve)
            for key in entry.get("keyToEnv") or () if name else ():
                optional = {"optional": bool(entry["optional"])} if "optional" in entry else {}
                source = {"name": name, "key": key[key_name], **optional}
                _main(pod)["env"].append({"name": key["envVar"], "valueFrom": {reference: source}})

    return set_environment


def _secret_volumes(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        if name := _name(entry, "secretName", resolve):
            source = {"secret": {"secretName": name, "optional": bool(entry.get("optional"))}}
            mounting.mount(pod, name, source, entry["mountPath"])


def _config_map_volumes(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        if name := _name(entry, "configMapName", resolve):
            source = {"configMap": {"name": name, "optional": bool(entry.get("optional"))}}
            mounting.mount(pod, name, source, entry["mountPath"])


def _claims(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        name = _claim(entry, resolve)
        if not name:
            raise InputError("a PersistentVolumeClaim is to be mounted, and its name is empty")
        source = {"persistentVolumeClaim": {"claimName": name}}
        mounting.mount(pod, name, source, entry["mountPath"], below=str(entry.get("subPath") or ""))


def _ephemeral_volumes(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        spec: Object = {
            "accessModes": list(entry.get("accessModes") or ["ReadWriteOnce"]),
            "resources": {"requests": {"storage": entry["size"]}},
        }
        if not entry.get("defaultStorageClass"):
            spec["storageClassName"] = entry.get("storageClassName") or ""
        template = {"metadata": dict(entry.get("metadata") or {}), "spec": spec}
        source = {"ephemeral": {"volumeClaimTemplate": template}}
        mounting.mount(pod, entry["volumeName"], source, entry["mountPath"])


def _empty_dirs(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        source = {key: entry[key] for key in ("medium", "sizeLimit") if entry.get(key)}
        mounting.mount(pod, entry["volumeName"], {"emptyDir": source}, entry["mountPath"])


def _shared_memory(pod: Object, content: Any, resolve: Resolve) -> None:
    size = {"sizeLimit": content["size"]} if content.get("size") else {}
    source = {"emptyDir": {"medium": "Memory", **size}}
    mounting.mount(pod, content.get("volumeName") or "shared-memory", source, "/dev/shm")  # noqa: S108 - the pod's


def _node_selector(pod: Object, content: Any, resolve: Resolve) -> None:
    labels = content.get("labels")
    if "nodeSelectorJson" in content:
        labels = _json(content["nodeSelectorJson"], resolve, (dict,), "nodeSelectorJson")
    if labels:
        pod["spec"]["nodeSelector"] = {key: text(value) for key, value in labels.items()}


def _tolerations(pod: Object, content: Any, resolve: Resolve) -> None:
    found: list[Object] = []
    for entry in content:
        if "tolerationJson" in entry:
            given = _json(entry["tolerationJson"], resolve, (dict, list), "tolerationJson") or []
            found += given if isinstance(given, list) else [given]
        else:
            found.append(entry)
    for each in found:
        if each:
            seconds = {"tolerationSeconds": int(each["tolerationSeconds"])} if "tolerationSeconds" in each else {}
            pod["spec"].setdefault("tolerations", []).append({**each, **seconds})


def _node_affinity(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        if "nodeAffinityJson" in entry:
            given = _json(entry["nodeAffinityJson"], resolve, (dict,), "nodeAffinityJson") or {}
            affinity.add_nodes_given(pod, given)
        else:
            affinity.add_nodes(pod, entry)


def _pod_affinity(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        affinity.add_pods(pod, entry)


def _pod_metadata(pod: Object, content: Any, resolve: Resolve) -> None:
    for part in ("labels", "annotations"):
        pod["metadata"].setdefault(part, {}).update(content.get(part) or {})


def _field_paths(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        source = {"fieldRef": {"fieldPath": entry["fieldPath"]}}
        _main(pod)["env"].append({"name": entry["name"], "valueFrom": source})


def _pull_secrets(pod: Object, content: Any, resolve: Resolve) -> None:
    names = [name for entry in content if (name := _name(entry, "secretName", resolve))]
    if names:
        pod["spec"]["imagePullSecrets"] = [{"name": name} for name in names]


def _pull_policy(pod: Object, content: Any, resolve: Resolve) -> None:
    _main(pod)["imagePullPolicy"] = content


def _deadline(pod: Object, content: Any, resolve: Resolve) -> None:
    pod["spec"]["activeDeadlineSeconds"] = int(content)


def _security(pod: Object, content: Any, resolve: Resolve) -> None:
    """Whoever asks for a user of their own gets no capabilities, as upstream has it."""
    given = {key: value if key == "runAsNonRoot" else int(value) for key, value in content.items()}
    _main(pod)["securityContext"] = {**given, "capabilities": {"drop": ["ALL"]}}


def _init_containers(pod: Object, content: Any, resolve: Resolve) -> None:
    volumes = {volume["name"] for volume in pod["spec"].get("volumes") or ()}
    for entry in content:
        container: Object = {"name": entry["name"], "image": entry["image"]}
        container |= {key: list(entry[key]) for key in ("command", "args") if entry.get(key)}
        container |= {key: entry[key] for key in ("restartPolicy", "resources") if entry.get(key)}
        if entry.get("env"):
            container["env"] = [{"name": each["name"], "value": each.get("value", "")} for each in entry["env"]]
        for mount in entry.get("volumeMounts") or ():
            name = mounting.name(mount["volumeName"])
            if name not in volumes:
                raise InputError(
                    f"init container {entry['name']!r} mounts {mount['volumeName']!r}, which the pod lacks"
                )
            container.setdefault("volumeMounts", []).append({"name": name, "mountPath": mount["mountPath"]})
        pod["spec"].setdefault("initContainers", []).append(container)


def _main(pod: Object) -> dict[str, Any]:
    main: dict[str, Any] = pod["spec"]["containers"][0]
    return main


_SETTINGS: dict[str, Callable[[Object, Any, Resolve], None]] = {
    "pvcMount": _claims,
    "secretAsVolume": _secret_volumes,
    "configMapAsVolume": _config_map_volumes,
    "genericEphemeralVolume": _ephemeral_volumes,
    "emptyDirMounts": _empty_dirs,
    "enabledSharedMemory": _shared_memory,
    "secretAsEnv": _environment("secret", "secretKey"),
    "configMapAsEnv": _environment("configMap", "configMapKey"),
    "fieldPathAsEnv": _field_paths,
    "nodeSelector": _node_selector,
    "tolerations": _tolerations,
    "nodeAffinity": _node_affinity,
    "podAffinity": _pod_affinity,
    "podMetadata": _pod_metadata,
    "imagePullSecret": _pull_secrets,
    "imagePullPolicy": _pull_policy,
    "activeDeadlineSeconds": _deadline,
    "securityContext": _security,
    "initContainers": _init_containers,
}
"""In the order in which they are added: init containers may mount what others have added."""
