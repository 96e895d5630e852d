"""Bring an owner's children to what `render` wants: create, change, delete. Nothing else decides here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors, meta, quantities
from fairway.kernel.objects.kinds import Kind, Object

AMOUNTS = frozenset(
    {
        *("allocatable", "allocatedResources", "capacity", "default", "defaultRequest", "hard", "limits", "max"),
        *("maxLimitRequestRatio", "min", "overhead", "podFixed", "requests", "resources", "used"),
    }
)
"""Fields of built-in kinds that are maps of quantities, of which a server may answer with another form: "1024Mi" or 0.5
is kept as "1Gi" or "500m"."""
AMOUNT = frozenset({"averageValue", "divisor", "sizeLimit", "tolerance"})
"""Fields that are one quantity."""


async def apply(
    client: Client, kind: Kind, owner: Object, desired: Iterable[Object], observed: Iterable[Object]
) -> None:
    """Make the children of one kind be `desired`.

    A child that exists is changed only in the fields that `desired` names, so that defaults and what others
    wrote stay. Raises Conflict where a name is taken by an object of another owner.
    """
    existing = {meta.key(obj): obj for obj in observed}
    for child in desired:
        current = existing.pop(meta.key(child), None)
        if current is None:
            await _create(client, kind, owner, child)
        elif not meta.being_deleted(current) and (patch := missing(current, child)):
            await client.patch(kind, meta.name(child), meta.namespace(child), patch)
    for surplus in existing.values():
        if not meta.being_deleted(surplus):
            await client.delete(kind, meta.name(surplus), meta.namespace(surplus), uid=meta.uid(surplus))


def owned(owner: Object, child: Object) -> Object:
    """`child` with `owner` as its controller."""
    metadata = {**child["metadata"], "ownerReferences": [meta.owner_reference(owner)]}
    return {**child, "metadata": metadata}


def missing(current: Any, wanted: Any) -> Object:
    """The merge patch that gives `current` every field that `wanted` names; what it does not name stays.

    Objects in lists are compared in the same way, so that a server's defaults inside them are no difference.
    """
    patch: Object = {}
    for key, value in wanted.items():
        if key in ("apiVersion", "kind"):
            continue
        before = current.get(key)
        value = _settled(key, value)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := missing(before, value):
                patch[key] = inner
        elif not _covers(before, value):
            patch[key] = value
    return patch


def _covers(current: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(current, dict):
        return all(_covers(current.get(key), _settled(key, value)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(current, list):
        return len(wanted) == len(current) and all(map(_covers, current, wanted))
    return bool(current == wanted) or (wanted in ({}, [], None) and current is None)


def _settled(key: str, wanted: Any) -> Any:
    """A wanted quantity, or map of them, as a server answers it."""
    if key in AMOUNTS and isinstance(wanted, dict):
        return {name: _form(amount) for name, amount in wanted.items()}
    return _form(wanted) if key in AMOUNT else wanted


def _form(amount: Any) -> Any:
    try:
        return quantities.settled(amount)
    except errors.BadRequest:
        return amount  # the server will say what is wrong with it, if it is a quantity


async def _create(client: Client, kind: Kind, owner: Object, child: Object) -> None:
    try:
        await client.create(kind, owned(owner, child))
    except errors.AlreadyExists:
        found = await client.find(kind, meta.name(child), meta.namespace(child))
        if found is not None and not meta.owned_by(found, owner):
            text = f"{kind.resource} {meta.name(child)!r} exists and belongs to somebody else: delete or rename it"
            raise errors.Conflict(text) from None
