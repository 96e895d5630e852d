"""metadata.managedFields: who wrote which fields of an object, kept for server-side apply.

An object has them from its creation over HTTP, or from its first apply; what the platform's own controllers create in
process has none, which saves a third of its size, and what an untracked object holds when it is first applied belongs
to `before-first-apply`, as upstream has it. `writing` asks here after it knows the next object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from fairway.cluster.api import shaping
from fairway.cluster.api.calls import Call
from fairway.cluster.api.patches import APPLY_PATCH
from fairway.kernel.objects import applying, errors, fields
from fairway.kernel.objects.applying import APPLY, UPDATE, Owner, Owners
from fairway.kernel.objects.fields import Path
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place

_SERVERS = (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
_NEVER: tuple[Path, ...] = (("f:apiVersion",), ("f:kind",), *(("f:metadata", f"f:{name}") for name in _SERVERS))
_WITHOUT: fields.Without = {"apiVersion": {}, "kind": {}, "metadata": {name: {} for name in _SERVERS}}
_WITHOUT_STATUS: fields.Without = {**_WITHOUT, "status": {}}
"""The same for `fields.whole`."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BEFORE = "before-first-apply"
_IN_PROCESS = "fairway"


def said(call: Call, obj: Object) -> frozenset[Path] | None:
    """What an apply that creates an object owns: what it says, without defaults. None for other writes."""
    return applying.all_of(obj, place(call), _ignored(call)) if call.content_type == APPLY_PATCH else None


def created(call: Call, obj: Object, said_: frozenset[Path] | None, now: str) -> None:
    """Put the first entry into a new object, where it is tracked."""
    if said_ is not None:
        obj["metadata"]["managedFields"] = [_entry(_owner(call), fields.wire(said_), now)]
    elif call.manager:
        without = _WITHOUT_STATUS if call.served.strategy.status else _WITHOUT
        obj["metadata"]["managedFields"] = [_entry(_owner(call), fields.whole(obj, place(call), without), now)]


def changed(call: Call, new: Object, old: Object, now: str) -> None:
    """Keep the entries of a tracked object true through a write that is no apply."""
    entries = new["metadata"].get("managedFields")  # the stored ones, or those that the client wrote
    if not entries or call.content_type == APPLY_PATCH:
        return  # untracked, told by the apply itself, or to be forgotten
    owners = _owners(entries)
    after = applying.update(old, new, owners, _owner(call), place(call), ignored=_ignored(call))
    new["metadata"]["managedFields"] = entries if after == owners else _entries(after, owners, entries, now)


def applied(call: Call, live: Object, wanted: Object, now: str) -> Object:
    """The object after an apply, with its entries. Raises Conflict, and BadRequest."""
    entries = live["metadata"].get("managedFields") or ()
    owners = _owners(entries) if entries else _first(call, live)
    said_ = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind")}
    try:
        result, after = _apply(call, live, said_, owners, force=call.flag("force"))
    except applying.Conflicts as conflicts:
        if not _handed_over(call, live, conflicts):
            raise _conflict(conflicts) from None
        result, after = _apply(call, live, said_, owners, force=True)
    metadata = {**result["metadata"], "managedFields": _entries(after, owners, entries, now)}
    if _is_kubectl(call) and _LAST_APPLIED in (metadata.get("annotations") or {}):
        text = orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS).decode() + "\n"
        metadata["annotations"] = {**metadata["annotations"], _LAST_APPLIED: text}
    return {**result, "metadata": metadata}


def _apply(call: Call, live: Object, wanted: Object, owners: Owners, *, force: bool) -> tuple[Object, Owners]:
    return applying.apply(live, wanted, owners, _owner(call), place(call), force=force, ignored=_ignored(call))


def _handed_over(call: Call, live: Object, conflicts: applying.Conflicts) -> bool:
    """Whether kubectl only takes from itself: what its client-side apply wrote, and nobody has changed since."""
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if not _is_kubectl(call) or not text:
        return False
    try:
        last = fields.leaves(shaping.settled(call, orjson.loads(text)), place(call))
    except (orjson.JSONDecodeError, errors.BadRequest):
        return False
    there = fields.leaves(live, place(call))
    own = {path for path, value in last.items() if path in there and there[path] == value}
    return all(path in own for contested in conflicts.found.values() for path in contested)


def _is_kubectl(call: Call) -> bool:
    return call.query.get("fieldManager") == "kubectl"


def required(call: Call) -> None:
    """An apply needs the name of its owner."""
    if not call.query.get("fieldManager"):
        text = "Required value: is required for apply patch"
        raise errors.invalid(
            "PatchOptions", "meta.k8s.io", "", [errors.Cause("fieldManager", text, "FieldValueRequired")]
        )


def place(call: Call) -> Place:
    """How objects of the call's kind are owned, part by part."""
    return call.served.strategy.topology()


def _first(call: Call, live: Object) -> Owners:
    """Whoever wrote the object before anybody applied to it."""
    owner = Owner(_BEFORE, UPDATE, call.served.resource.kind.api_version)
    return {owner: applying.all_of(live, place(call), _ignored(call))}


def _owner(call: Call) -> Owner:
    operation = APPLY if call.content_type == APPLY_PATCH else UPDATE
    name = call.query.get("fieldManager") or call.manager or _IN_PROCESS
    return Owner(name, operation, call.served.resource.kind.api_version, call.subresource)


def _ignored(call: Call) -> Iterable[Path]:
    """What has no owner, or cannot be written through this resource."""
    if call.subresource == "status":
        return (*_NEVER, ("f:spec",), ("f:metadata",))
    return (*_NEVER, ("f:status",)) if call.served.strategy.status else _NEVER


def _owners(entries: Iterable[Any]) -> Owners:
    found = {}
    for entry in entries:
        held = frozenset(fields.paths(entry.get("fieldsV1")))
        owner = Owner(
            str(entry.get("manager") or ""),
            str(entry.get("operation") or ""),
            str(entry.get("apiVersion") or ""),
            str(entry.get("subresource") or ""),
        )
        found[owner] = held
    return found


def _entries(owners: Owners, before: Owners, entries: Iterable[Any], now: str) -> list[Object]:
    """Those that changed have the time of now; the others stay as they are."""
    old = {next(iter(_owners([entry]))): entry for entry in entries}
    result = []
    for owner, held in owners.items():
        if owner in old and before.get(owner) == held:
            result.append(old[owner])
            continue
        result.append(_entry(owner, fields.wire(held), now))
    # Upstream's order: who applies first, then by time.
    return sorted(result, key=lambda entry: (entry["operation"] != APPLY, str(entry.get("time") or "")))


def _entry(owner: Owner, held: Object, now: str) -> Object:
    entry = {
        "manager": owner.manager,
        "operation": owner.operation,
        "apiVersion": owner.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": held,
    }
    return {**entry, "subresource": owner.subresource} if owner.subresource else entry


def _conflict(conflicts: applying.Conflicts) -> errors.Conflict:
    causes, lines = [], []
    for owner, contested in conflicts.found.items():
        named = f'"{owner.manager}"' + (f' with subresource "{owner.subresource}"' if owner.subresource else "")
        who = f"conflict with {named}" + (f" using {owner.api_version}" if owner.operation == UPDATE else "")
        for path in contested:
            causes.append({"reason": "FieldManagerConflict", "message": who, "field": fields.text(path)})
        if len(contested) == 1:
            lines.append(f"{who}: {fields.text(contested[0])}")
        else:
            lines.append(f"{who}:\n" + "\n".join(f"- {fields.text(path)}" for path in contested))
    count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    listed = lines[0] if len(lines) == 1 else "conflicts " + "\n".join(line.removeprefix("conflict ") for line in lines)
    return errors.Conflict(f"Apply failed with {count}: {listed}", details={"causes": causes})
