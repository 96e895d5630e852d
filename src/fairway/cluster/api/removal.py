"""The end of objects: delete and deletecollection, with grace, finalizers and what happens to dependents.

Dependents are the garbage collector's work (cluster.workloads); here an object is only marked, or removed
when nothing keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fairway.cluster.api import reading, shaping
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply, of_record
from fairway.cluster.api.custom import crds, definitions
from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Record, WrongRevision
from fairway.kernel import clock as time
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Kind, Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_OPTIONS = Kind("", "v1", "DeleteOptions", "")
_PROPAGATIONS = {"Background": None, "Foreground": FOREGROUND, "Orphan": ORPHAN}


def finished(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left that keeps it."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


async def delete(backend: Backend, call: Call) -> Reply:
    options = _options(call)
    while True:
        record = reading.found(backend.store, call)
        _preconditions(call, options, record)
        seen = await backend.conversions.shown(call.served, record)
        request = Request("DELETE", call, options, seen.object)
        await backend.admission.mutate(request)
        try:
            async with backend.admission.validated(request):
                reply = await _deleted(backend, call, options, record)
                return await backend.conversions.reply(call.served, reply)
        except WrongRevision as race:
            await backend.store.progress(race.current)


async def _deleted(backend: Backend, call: Call, options: Object, record: Record) -> Reply:
    """Mark the object, or take it out of the store where nothing keeps it."""
    marked = _marked(backend, call, record.object, options)
    if finished(marked):
        if not call.dry_run:
            await remove(backend, call.served, record)
        return _gone(call, record)
    if marked == record.object or call.dry_run:
        return of_record(record, call.served)
    record = await backend.store.update(record.key, marked, record.revision)
    if crds.is_definition(call.served):
        await empty_definition(backend, record)
    return of_record(record, call.served)


async def delete_collection(backend: Backend, call: Call) -> Reply:
    """Delete what a list with the same query shows."""
    shown = await reading.list_(backend, call)
    query = {
        key: value for key, value in call.query.items() if key in ("propagationPolicy", "gracePeriodSeconds", "dryRun")
    }
    for item in shown.items or ():
        metadata = item["metadata"]
        one = Call(
            "delete", call.served, metadata.get("namespace", ""), metadata["name"], "", query, call.identity, call.body
        )
        try:
            await delete(backend, one)
        except errors.NotFound:
            continue
    return shown


def _options(call: Call) -> Object:
    """DeleteOptions of the body, or of the query where there is no body."""
    options = {} if call.body is None else shaping.typed(call.body, _OPTIONS)
    if "propagationPolicy" in call.query and "propagationPolicy" not in options:
        options["propagationPolicy"] = call.query["propagationPolicy"]
    if "gracePeriodSeconds" in call.query and "gracePeriodSeconds" not in options:
        options["gracePeriodSeconds"] = call.number("gracePeriodSeconds")
    if options.get("dryRun"):
        call.query = {**call.query, "dryRun": "All"}
    if options.get("orphanDependents") is not None and "propagationPolicy" not in options:
        options["propagationPolicy"] = "Orphan" if options["orphanDependents"] else "Background"
    policy = options.get("propagationPolicy")
    if policy is not None and policy not in _PROPAGATIONS:
        text = f'Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        cause = errors.Cause("propagationPolicy", text, "FieldValueNotSupported")
        raise errors.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
    grace = options.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        raise errors.BadRequest(f"gracePeriodSeconds: Invalid value: {grace}: must be a whole number, 0 or more")
    return options


def _preconditions(call: Call, options: Object, record: Record) -> None:
    wanted = options.get("preconditions") or {}
    actual = record.object["metadata"]
    for key, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(key) and wanted[key] != actual.get(key):
            why = (
                f"Precondition failed: {word} in precondition: {wanted[key]}, {word} in object meta: {actual.get(key)}"
            )
            raise errors.conflict(call.served.label, call.name, why)


def _marked(backend: Backend, call: Call, obj: Object, options: Object) -> Object:
    """The object as it is once its deletion is asked for."""
    before = obj["metadata"]
    metadata = dict(before)
    grace = _grace(call, obj, options)
    if not before.get("deletionTimestamp"):
        metadata["finalizers"] = _finalizers(call, before.get("finalizers") or (), options)
        metadata["deletionGracePeriodSeconds"] = grace
        metadata["deletionTimestamp"] = time.timestamp(backend.clock.now() + grace)
        if call.served.strategy.generation and "generation" in before:
            metadata["generation"] = before["generation"] + 1
    elif grace < (before.get("deletionGracePeriodSeconds") or 0):
        metadata["deletionGracePeriodSeconds"] = grace
        metadata["deletionTimestamp"] = time.timestamp(backend.clock.now() + grace)
    if not metadata.get("finalizers"):
        metadata.pop("finalizers", None)
    marked = {**obj, "metadata": metadata}
    if obj["kind"] == "Namespace":
        marked["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return marked


def _grace(call: Call, obj: Object, options: Object) -> int:
    """Pods that a node runs are given time; everything else ends at once."""
    if not call.served.strategy.graceful:
        return 0
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30))


def _finalizers(call: Call, present: Iterable[str], options: Object) -> list[str]:
    policy = options.get("propagationPolicy")
    if policy is None:
        # A finalizer that somebody put there says it already.
        if ORPHAN in present or FOREGROUND in present:
            return list(present)
        policy = call.served.strategy.propagation
        if policy == "Orphan":
            call.warnings.append(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )
    kept = [word for word in present if word not in (ORPHAN, FOREGROUND)]
    wanted: Any = _PROPAGATIONS[policy]
    if crds.is_definition(call.served) and crds.CLEANUP not in kept:
        kept.append(crds.CLEANUP)
    return [*kept, wanted] if wanted else kept


def _gone(call: Call, record: Record) -> Reply:
    """What a deletion is answered with once the object is gone: of some kinds, the object."""
    if call.served.strategy.returned:
        return of_record(record, call.served)
    kind, metadata = call.served.resource.kind, record.object["metadata"]
    details = {"name": metadata["name"], "kind": kind.plural, "uid": metadata.get("uid", "")}
    if kind.group:
        details["group"] = kind.group
    return Reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})


async def remove(backend: Backend, served: Served, record: Record) -> None:
    """Take the object out of the store, and what hung on it out of the tables."""
    await backend.store.delete(record.key, record.revision)
    if record.key.resource == "services":
        backend.addresses.release(record.object)
    if crds.is_definition(served):
        backend.registry.put(record.key.name, ())
        await definitions.reconsider(backend, record.object["spec"]["group"])
    if served.definition is not None:
        await _last_of_its_kind(backend, served)


async def _last_of_its_kind(backend: Backend, served: Served) -> None:
    """When a definition is being deleted, it goes with the last of its objects."""
    definition = _definition(backend, served)
    if definition and definition.object["metadata"].get("deletionTimestamp"):
        await _finish_definition(backend, definition)


def _definition(backend: Backend, served: Served) -> Record | None:
    name = (served.definition or {}).get("metadata", {}).get("name", "")
    return backend.store.get(crds.key(name))


async def empty_definition(backend: Backend, record: Record) -> None:
    """Delete the objects of a definition that is being deleted, and then the definition."""
    versions = backend.registry.custom(record.key.name)
    if versions:
        # As they are stored: whoever converts them may have gone already.
        served = replace(versions[0], conversion=None)
        for each in backend.store.list(served.storage).records:
            call = Call("delete", served, each.key.namespace, each.key.name, "", {}, crds.CLEANER)
            try:
                await delete(backend, call)
            except errors.NotFound:
                continue
    current = backend.store.get(record.key)
    if current is not None:
        await _finish_definition(backend, current)


async def _finish_definition(backend: Backend, definition: Record) -> None:
    spec = definition.object["spec"]
    if backend.store.list(f"{spec['names']['plural']}.{spec['group']}").records:
        return
    metadata = dict(definition.object["metadata"])
    if crds.CLEANUP not in (metadata.get("finalizers") or ()):
        return
    metadata["finalizers"] = [word for word in metadata["finalizers"] if word != crds.CLEANUP]
    new = {**definition.object, "metadata": metadata}
    try:
        if finished(new):
            await backend.store.delete(definition.key, definition.revision)
            backend.registry.put(definition.key.name, ())
            await definitions.reconsider(backend, spec["group"])
        else:
            await backend.store.update(definition.key, new, definition.revision)
    except WrongRevision as race:
        await backend.store.progress(race.current)
        newest = backend.store.get(definition.key)
        if newest is not None:
            await _finish_definition(backend, newest)
