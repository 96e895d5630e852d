"""Subresources other than status: scale, binding, token, finalize. Each is a small view of its parent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from fairway.cluster.api import patches, reading, refusals, shaping, writing
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.api.identity import token_requests
from fairway.cluster.api.pods import evicting
from fairway.cluster.api.signing import approval
from fairway.cluster.store.protocol import WrongRevision
from fairway.kernel.objects import conditions, errors, selectors
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.topology import Place


async def answer(backend: Backend, call: Call) -> Reply:
    found = _ANSWERS.get(call.subresource)
    if found is None:
        raise refusals.unknown_subresource(call.served.label, call.subresource)
    part = call.served.resource.subresource(call.subresource)
    if part is not None and call.verb in ("create", "update"):
        call.body = shaping.typed(call.body, Kind(part.group, part.version, part.kind, part.name))
    return await found(backend, call)


async def _scale(backend: Backend, call: Call) -> Reply:
    """autoscaling/v1 Scale of anything that counts replicas."""
    at = _scale_paths(call)
    if call.verb == "get":
        scaled = (await backend.conversions.shown(call.served, reading.found(backend.store, call))).object
    else:
        scaled = (await writing.change(backend, _parent(call), _scaled(call, at))).object  # in a dry run, too
    # A Scale is in no version of what it is the scale of.
    return Reply(_as_scale(call, scaled, at), served=replace(call.served, conversion=None))


def _parent(call: Call) -> Call:
    """The same call on the object itself; its warnings stay this call's."""
    return replace(call, subresource="", body=None, duplicates=(), sound=None)


def _scale_paths(call: Call) -> dict[str, str]:
    definition = call.served.definition
    if definition is None:
        return {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    wanted = call.served.resource.kind.version
    version = next(each for each in definition["spec"]["versions"] if each["name"] == wanted)
    return dict(version["subresources"]["scale"])


def _scaled(call: Call, at: dict[str, str]) -> patches.Next:
    def next_(stored: Object) -> Object:
        scale = _as_scale(call, stored, at)
        wanted = call.body if call.verb == "update" else patches.of(call, Place({}))(scale)
        if not all(isinstance(part, dict) for part in _parts(wanted)):
            raise errors.BadRequest("the body of the request is a Scale: an object with metadata and spec")
        asked = (wanted.get("metadata") or {}).get("resourceVersion")
        if asked and asked != stored["metadata"]["resourceVersion"]:
            raise errors.conflict(call.served.label, call.name)
        replicas = (wanted.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            text = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise errors.invalid("Scale", "autoscaling", call.name, [Cause("spec.replicas", text)])
        new = patches.copied(stored)
        _put(new, at["specReplicasPath"], replicas)
        return dict(new)

    return next_


def _parts(scale: Any) -> tuple[Any, ...]:
    return (scale, scale.get("metadata", {}), scale.get("spec", {})) if isinstance(scale, dict) else (scale,)


def _as_scale(call: Call, obj: Object, at: dict[str, str]) -> Object:
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = (obj.get("spec") or {}).get("selector")
    text = (
        _look(obj, at["labelSelectorPath"])
        if "labelSelectorPath" in at
        else selectors.to_text(selectors.widened(selector))
    )
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": _look(obj, at["specReplicasPath"]) or 0},
        "status": {"replicas": _look(obj, at["statusReplicasPath"]) or 0, "selector": text or ""},
    }


def _look(obj: Object, path: str) -> Any:
    value: Any = obj
    for step in path.strip(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(obj: Object, path: str, value: Any) -> None:
    *steps, last = path.strip(".").split(".")
    for step in steps:
        obj = obj.setdefault(step, {})
    obj[last] = value


async def _bind(backend: Backend, call: Call) -> Reply:
    """pods/binding: the scheduler's word, which is final."""
    body = call.body if isinstance(call.body, dict) else {}
    target = (body.get("target") or {}).get("name")
    if not target:
        raise errors.invalid("Binding", "", call.name, [Cause("target.name", "Required value", "FieldValueRequired")])
    while True:
        record = reading.found(backend.store, call)
        pod = record.object
        if pod["metadata"].get("deletionTimestamp"):
            why = f"pod {call.name} is being deleted, cannot be assigned to a host"
            raise errors.conflict("pods/binding", call.name, why)
        if pod["spec"].get("nodeName"):
            why = f'pod {call.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
            raise errors.conflict("pods/binding", call.name, why)
        scheduled = conditions.merged(
            (pod.get("status") or {}).get("conditions"), backend.now(), ("PodScheduled", True, "", "")
        )
        metadata = pod["metadata"]
        if annotations := (body.get("metadata") or {}).get("annotations"):
            metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}
        new = {
            **pod,
            "metadata": metadata,
            "spec": {**pod["spec"], "nodeName": str(target)},
            "status": {**(pod.get("status") or {}), "conditions": scheduled},
        }
        if call.dry_run:
            return _success(201)
        try:
            await backend.store.update(record.key, new, record.revision)
        except WrongRevision as race:
            await backend.store.progress(race.current)
            continue
        return _success(201)


def _success(code: int) -> Reply:
    return Reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}, code)


async def _finalize(backend: Backend, call: Call) -> Reply:
    """namespaces/finalize: what still keeps a namespace."""
    body = call.body if isinstance(call.body, dict) else {}
    finalizers = (body.get("spec") or {}).get("finalizers") or []

    def next_(stored: Object) -> Object:
        return {**stored, "spec": {**(stored.get("spec") or {}), "finalizers": finalizers}}

    revision = str((body.get("metadata") or {}).get("resourceVersion") or "")
    return await writing.change(backend, _parent(call), next_, revision)


_ANSWERS: dict[str, Callable[[Backend, Call], Awaitable[Reply]]] = {
    "scale": _scale,
    "binding": _bind,
    "token": token_requests.answer,
    "approval": approval.answer,
    "finalize": _finalize,
    "eviction": evicting.evict,
}
