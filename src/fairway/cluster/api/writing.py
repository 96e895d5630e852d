"""Writing: create, update and patch, of whole objects and of their status.

Each write reads the newest object, decides the next one, and stores it on condition that the object has not
changed meanwhile; where it has, and the client did not insist on a revision, it decides again. A write that
changes nothing stores nothing.
"""

from __future__ import annotations

from contextlib import suppress

from fairway.cluster.api import managers, objectmeta, patches, removal, shaping
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply, of_record
from fairway.cluster.api.custom import crds, definitions
from fairway.cluster.api.patches import Next
from fairway.cluster.api.reading import found, key_of
from fairway.cluster.store.protocol import Key, Record, WrongRevision
from fairway.kernel.objects import errors
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.fields import Path
from fairway.kernel.objects.kinds import Object

_GENERATED_NAME_TRIES = 8
_UNCOUNTED = frozenset({"apiVersion", "metadata"})
_WITH_STATUS = _UNCOUNTED | {"status"}


async def create(backend: Backend, call: Call) -> Reply:
    obj = shaping.shaped(call)
    given = objectmeta.of(obj)
    for _ in range(_GENERATED_NAME_TRIES):
        metadata = objectmeta.born(given, call.namespace, backend.now())
        try:
            return await _create(backend, call, {**obj, "metadata": metadata})
        except errors.AlreadyExists:
            if given.get("name"):
                raise
    raise errors.AlreadyExists(f"{call.served.label}: no free name was found for {given.get('generateName')!r}")


async def _create(backend: Backend, call: Call, obj: Object) -> Reply:
    strategy = call.served.strategy
    if strategy.status and not strategy.born_with_status:
        obj.pop("status", None)
    call.name = str(obj["metadata"].get("name") or "")
    said = managers.said(call, obj)
    shaping.complete(call, obj)
    if not strategy.generation:
        obj["metadata"].pop("generation", None)
    request = Request("CREATE", call, obj, {})
    await backend.admission.mutate(request)
    obj = request.object
    shaping.refuse(call, obj, await shaping.judged(backend.aside, call, obj))
    async with backend.admission.validated(request):
        return await _stored(backend, call, obj, said)


async def _stored(backend: Backend, call: Call, obj: Object, said: frozenset[Path] | None) -> Reply:
    """Store a new object that has passed admission."""
    key = Key(call.served.storage, call.namespace, call.name)
    if backend.store.get(key) is not None:
        raise errors.already_exists(call.served.label, call.name)
    if crds.is_definition(call.served):
        _not_our_own(backend, call, obj)
        obj = definitions.established(backend, obj)
    managers.created(call, obj, said, backend.now())
    stored = await backend.conversions.stored(call.served, obj)
    if call.dry_run:
        return _dry(call, obj, 201)
    service = call.served.storage == "services"
    if service:
        shaping.refuse(call, obj, backend.addresses.assign(obj))
    try:
        record = await backend.store.create(key, stored)
    except WrongRevision:
        if service:
            backend.addresses.release(obj)
        raise errors.already_exists(call.served.label, call.name) from None
    if crds.is_definition(call.served):
        backend.registry.put(call.name, crds.serve(record.object))
    return _told(call, obj, record, 201)


def _told(call: Call, obj: Object, record: Record, code: int = 200) -> Reply:
    """What was stored, as the call's version has it."""
    if call.served.conversion is None:
        return of_record(record, call.served, code)
    return Reply(_at(obj, record), code, None, call.served)


def _at(obj: Object, record: Record) -> Object:
    """With the revision of what is stored, where the object itself is not."""
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(record.revision)}}


def _not_our_own(backend: Backend, call: Call, definition: Object) -> None:
    group = definition["spec"]["group"]
    if backend.registry.is_builtin(group):
        text = f'Invalid value: "{group}": this server serves the group itself; choose one of your own'
        raise call.served.invalid(call.name, [Cause("spec.group", text)])


def _dry(call: Call, obj: Object, code: int = 200) -> Reply:
    shown = call.served.to_view(obj) if call.served.to_view else obj
    return Reply(shown, code, None, call.served)


async def update(backend: Backend, call: Call) -> Reply:
    """PUT. A resourceVersion in the body must be the newest."""
    obj = shaping.shaped(call)
    given = objectmeta.of(obj)
    revision = _asked(given)
    strategy = call.served.strategy
    if not revision and strategy.revision_required and not (strategy.created_by_put and _absent(backend, call)):
        text = 'Invalid value: "": must be specified for an update'
        raise call.served.invalid(call.name, [Cause("metadata.resourceVersion", text)])
    if strategy.created_by_put and not call.subresource and _absent(backend, call):
        return await _create_too(backend, call)
    return await change(backend, call, lambda _: dict(obj), revision)


def _asked(metadata: Object) -> str:
    """The revision that a write insists on; "0" is upstream's word for any."""
    revision = str(metadata.get("resourceVersion") or "")
    return "" if revision == "0" else revision


def _absent(backend: Backend, call: Call) -> bool:
    return backend.store.get(key_of(call)) is None


async def _create_too(backend: Backend, call: Call) -> Reply:
    """What a PUT or an apply names is not there: who may only change objects does not make one."""
    kind = call.served.resource.kind
    backend.grants.check(call.identity, Attempt("create", kind.group, kind.plural, call.namespace, call.name))
    return await create(backend, call)


async def patch(backend: Backend, call: Call) -> Reply:
    if call.content_type == patches.APPLY_PATCH:
        return await _apply(backend, call)
    return await change(backend, call, patches.applied(call))


async def _apply(backend: Backend, call: Call) -> Reply:
    """Server-side apply: what one owner wants, laid over what is there; creates what is not."""
    managers.required(call)
    wanted = shaping.settled(call, shaping.shaped(call))  # an equal amount is no conflict
    if objectmeta.of(wanted).get("managedFields"):
        raise errors.BadRequest("metadata.managedFields must be nil")
    wanted["metadata"] = {**objectmeta.of(wanted), "name": call.name}
    if _absent(backend, call) and not call.subresource:
        if wanted["metadata"].get("uid"):
            raise errors.conflict(call.served.label, call.name, "the object with this uid is not there")
        call.body = wanted
        with suppress(errors.AlreadyExists):  # somebody else was first: then it is applied to theirs
            return await _create_too(backend, call)
    return await change(backend, call, lambda live: managers.applied(call, live, wanted, backend.now()))


async def change(backend: Backend, call: Call, next_: Next, revision: str = "") -> Reply:
    """Replace the object by what `next_` makes of it, once, whatever others write meanwhile."""
    while True:
        stored = found(backend.store, call)
        moved = stored.object["apiVersion"] != call.served.resource.storage.api_version
        record = await backend.conversions.shown(call.served, stored)
        wanted = next_(record.object)
        asked = revision or _asked(objectmeta.of(wanted))
        if asked and asked != str(record.revision):
            raise errors.conflict(call.served.label, call.name)
        _same_uid(call, wanted, record.object)
        decide = _status if call.subresource == "status" else _main
        request = await decide(backend, call, wanted, record)
        try:
            async with backend.admission.validated(request):
                return await _changed(backend, call, request.object, record, moved=moved)
        except WrongRevision as race:
            if revision:
                raise errors.conflict(call.served.label, call.name) from None
            await backend.store.progress(race.current)


async def _changed(backend: Backend, call: Call, next_: Object, old: Record, *, moved: bool) -> Reply:
    """Store the next object, which has passed admission; nothing where it is the same.

    `moved`: the storage version has changed since the object was written, so that it is written in any case.
    """
    new = _counted(backend, call, next_, old.object, moved=moved)
    if new is None:
        return of_record(old, call.served)
    if crds.is_definition(call.served) and call.subresource != "status":
        new = definitions.established(backend, new)
    stored = await backend.conversions.stored(call.served, new)
    if call.dry_run:
        return _dry(call, _at(new, old))
    if removal.finished(new):
        # The last finalizer is gone, and with it the object: it is told what it was at its end.
        await removal.remove(backend, call.served, old)
        last = _at(new, old)
        return Reply(call.served.to_view(last) if call.served.to_view else last, 200, None, call.served)
    record = await backend.store.update(old.key, stored, old.revision)
    if crds.is_definition(call.served):
        backend.registry.put(call.name, crds.serve(record.object))
        await definitions.reconsider(backend, record.object["spec"]["group"])
    return _told(call, new, record)


def _same_uid(call: Call, wanted: Object, current: Object) -> None:
    asked, actual = objectmeta.of(wanted).get("uid"), current["metadata"].get("uid")
    if asked and asked != actual:
        why = f"Precondition failed: UID in precondition: {asked}, UID in object meta: {actual}"
        raise errors.conflict(call.served.label, call.name, why)


async def _main(backend: Backend, call: Call, wanted: Object, record: Record) -> Request:
    """The next object of a write to the main resource."""
    old, strategy = record.object, call.served.strategy
    before = old["metadata"]
    new: Object = {**wanted, "metadata": objectmeta.changed(objectmeta.of(wanted), before)}
    if call.content_type == patches.APPLY_PATCH:
        new["metadata"]["managedFields"] = objectmeta.of(wanted)["managedFields"]
    if strategy.status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = dict(old["status"] or {})  # defaults may be added to it
    if _rest(call, new) != _rest(call, old):
        _keep_assigned(new, old)
        shaping.complete(call, new)
    else:
        shaping.report(call, [*call.duplicates, *objectmeta.unknown(wanted)])
    request = Request("UPDATE", call, new, old)
    await backend.admission.mutate(request)
    new = request.object
    if _rest(call, new) != _rest(call, old):
        call.size = max(call.size, len(record.value))
        causes = await shaping.judged(backend.aside, call, new, old) or list(strategy.check_change(new, old))
    else:
        causes = list(objectmeta.problems(new["metadata"], subdomain=False))
    causes += objectmeta.finalizer_problems_when_dying(new["metadata"], before)
    shaping.refuse(call, new, causes)
    return request


def _rest(call: Call, obj: Object) -> Object:
    """What this write is about. A status without a subresource of its own is a field like the others."""
    left_out = _WITH_STATUS if call.served.strategy.status else _UNCOUNTED
    return {key: value for key, value in obj.items() if key not in left_out}


def _keep_assigned(new: Object, old: Object) -> None:
    """What the server chose at creation stays where a client leaves it out."""
    if new["kind"] == "Service" and isinstance(new.get("spec"), dict):
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not new["spec"].get(field) and field in old["spec"] and new["spec"].get("type") != "ExternalName":
                new["spec"][field] = old["spec"][field]


def _counted(backend: Backend, call: Call, new: Object, old: Object, *, moved: bool) -> Object | None:
    """With its generation and its owners; None where nothing changed."""
    metadata, before = new["metadata"], old["metadata"]
    counts = _rest(call, new) != _rest(call, old)
    same = not counts and not moved and new.get("status") == old.get("status")
    if same and metadata == _without_revision(before):
        return None
    if call.served.strategy.generation and counts:
        metadata["generation"] = int(before.get("generation") or 0) + 1
    managers.changed(call, new, old, backend.now())
    return new


def _without_revision(metadata: Object) -> Object:
    return {key: value for key, value in metadata.items() if key != "resourceVersion"}


async def _status(backend: Backend, call: Call, wanted: Object, record: Record) -> Request:
    """The next object of a write to the status: everything else stays."""
    old = record.object
    new = {**old, "metadata": _without_revision(old["metadata"])}
    if wanted.get("status") is None:
        new.pop("status", None)
    else:
        new["status"] = wanted["status"]
    owned = objectmeta.of(wanted).get("managedFields") if call.content_type == patches.APPLY_PATCH else None
    if owned:
        new["metadata"]["managedFields"] = owned
    if "status" in new and new["status"] != old.get("status"):
        if new["status"] is not None and not isinstance(new["status"], dict):
            raise errors.BadRequest("status is an object")
        shaping.complete(call, new, only="status")
    request = Request("UPDATE", call, new, old)
    await backend.admission.mutate(request)
    if request.object.get("status") != old.get("status"):
        causes = await shaping.judged(backend.aside, call, request.object, old, only="status")
        shaping.refuse(call, request.object, causes)
    return request
