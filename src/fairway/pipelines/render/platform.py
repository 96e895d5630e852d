"""The Kubernetes platform document of a step (kfp-kubernetes), as fields of its pod.

Names may be constants, inputs of the surrounding scope, or outputs of siblings. Null skips the setting, as upstream
does. Which settings exist is decided in `ir.executors`; each of them has one function here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import MISSING
from fairway.pipelines.ir.reading import Node
from fairway.pipelines.ir.tasks import parameter_source
from fairway.pipelines.ir.values import text
from fairway.pipelines.render import inputs
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, RunFacts

Resolve = Callable[[Any], Any]
"""From a source in the document to its value; None where there is none."""


def apply(pod: Object, pipeline: ir.Pipeline, run: RunFacts, instance: Instance, document: Mapping[str, Any]) -> None:
    """Add what the document says to a pod that nobody else has seen yet."""
    resolve = _resolver(pipeline, run, instance)
    for setting, content in document.items():
        if content:
            _SETTINGS[setting](pod, content, resolve)


def claims(pipeline: ir.Pipeline, run: RunFacts, instance: Instance, document: Mapping[str, Any]) -> list[str]:
    resolve = _resolver(pipeline, run, instance)
    names = (_name(entry, "pvcName", resolve) for entry in document.get("pvcMount") or ())
    return [name for name in names if name]


def _resolver(pipeline: ir.Pipeline, run: RunFacts, instance: Instance) -> Resolve:
    scope = instance.parent if instance.whole else instance
    assert scope is not None

    def resolve(source: Any) -> Any:
        written = {"runtimeValue": {"constant": source["constant"]}} if "constant" in source else source
        value = inputs.resolved(pipeline, run, scope, instance, parameter_source(Node(written, instance.name)))
        return None if value is MISSING else value

    return resolve


def _name(entry: Mapping[str, Any], key: str, resolve: Resolve) -> str:
    """The name under `key`, or under its newer twin `keyParameter`, or (claims) in the entry itself."""
    if f"{key}Parameter" in entry:
        return text(resolve(entry[f"{key}Parameter"]) or "")
    if entry.get(key):
        return str(entry[key])
    sources = ("constant", "componentInputParameter", "taskOutputParameter")
    return text(resolve(entry) or "") if any(source in entry for source in sources) else ""


def _environment(kind: str, key_name: str) -> Callable[[Object, Any, Resolve], None]:
    """secretAsEnv and configMapAsEnv differ in their words only."""
    reference = f"{kind}KeyRef"

    def set_environment(pod: Object, content: Any, resolve: Resolve) -> None:
        for entry in content:
            name = _name(entry, f"{kind}Name", resolve)
            for key in entry.get("keyToEnv") or () if name else ():
                source = {"name": name, "key": key[key_name], "optional": bool(entry.get("optional"))}
                _main(pod)["env"].append({"name": key["envVar"], "valueFrom": {reference: source}})

    return set_environment


def _secret_volumes(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        if name := _name(entry, "secretName", resolve):
            source = {"secret": {"secretName": name, "optional": bool(entry.get("optional"))}}
            _mount(pod, source, {"mountPath": entry["mountPath"]})


def _config_map_volumes(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        if name := _name(entry, "configMapName", resolve):
            source = {"configMap": {"name": name, "optional": bool(entry.get("optional"))}}
            _mount(pod, source, {"mountPath": entry["mountPath"]})


def _claims(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        name = _name(entry, "pvcName", resolve)
        if not name:
            raise InputError("a PersistentVolumeClaim is to be mounted, and its name is empty")
        place = {"mountPath": entry["mountPath"], **({"subPath": entry["subPath"]} if entry.get("subPath") else {})}
        _mount(pod, {"persistentVolumeClaim": {"claimName": name}}, place)


def _empty_dirs(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        source = {key: entry[key] for key in ("medium", "sizeLimit") if entry.get(key)}
        _mount(pod, {"emptyDir": source}, {"mountPath": entry["mountPath"]})


def _node_selector(pod: Object, content: Any, resolve: Resolve) -> None:
    labels = content.get("labels") or {}
    if "nodeSelectorJson" in content:
        labels = resolve(content["nodeSelectorJson"]) or {}
    if labels:
        pod["spec"].setdefault("nodeSelector", {}).update(labels)


def _tolerations(pod: Object, content: Any, resolve: Resolve) -> None:
    for entry in content:
        if "tolerationJson" in entry:
            found = resolve(entry["tolerationJson"]) or []
            entries = found if isinstance(found, list) else [found]
        else:
            entries = [entry]
        for each in entries:
            if each:
                pod["spec"].setdefault("tolerations", []).append(dict(each))


def _node_affinity(pod: Object, content: Any, resolve: Resolve) -> None:
    affinity = pod["spec"].setdefault("affinity", {}).setdefault("nodeAffinity", {})
    for entry in content:
        if "nodeAffinityJson" in entry:
            affinity.update(resolve(entry["nodeAffinityJson"]) or {})
            continue
        term = {key: entry[key] for key in ("matchExpressions", "matchFields") if entry.get(key)}
        if not term:
            continue
        if entry.get("weight"):
            preferred = affinity.setdefault("preferredDuringSchedulingIgnoredDuringExecution", [])
            preferred.append({"weight": int(entry["weight"]), "preference": term})
        else:
            required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
            required.setdefault("nodeSelectorTerms", []).append(term)
    if not affinity:
        del pod["spec"]["affinity"]


def _pod_metadata(pod: Object, content: Any, resolve: Resolve) -> None:
    for part in ("labels", "annotations"):
        ours = pod["metadata"][part]
        pod["metadata"][part] = {**(content.get(part) or {}), **ours}


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
    _main(pod)["securityContext"] = {key: int(v) if key != "runAsNonRoot" else v for key, v in content.items()}


def _main(pod: Object) -> dict[str, Any]:
    main: dict[str, Any] = pod["spec"]["containers"][0]
    return main


def _mount(pod: Object, source: dict[str, Any], place: dict[str, Any]) -> None:
    volumes = pod["spec"].setdefault("volumes", [])
    name = f"volume-{len(volumes)}"
    volumes.append({"name": name, **source})
    _main(pod).setdefault("volumeMounts", []).append({"name": name, **place})


_SETTINGS: dict[str, Callable[[Object, Any, Resolve], None]] = {
    "secretAsEnv": _environment("secret", "secretKey"),
    "configMapAsEnv": _environment("configMap", "configMapKey"),
    "secretAsVolume": _secret_volumes,
    "configMapAsVolume": _config_map_volumes,
    "pvcMount": _claims,
    "emptyDirMounts": _empty_dirs,
    "nodeSelector": _node_selector,
    "tolerations": _tolerations,
    "nodeAffinity": _node_affinity,
    "podMetadata": _pod_metadata,
    "fieldPathAsEnv": _field_paths,
    "imagePullSecret": _pull_secrets,
    "imagePullPolicy": _pull_policy,
    "activeDeadlineSeconds": _deadline,
    "securityContext": _security,
}
