"""Server-side apply, pure: who owns which fields, and what becomes of an object when one owner says what it wants.

An owner that applies says all that it wants: what it no longer says goes, unless somebody else owns it too; what
somebody else owns with another value is a conflict, which `force` decides for the one who applies. Every other write
is an update: it owns what it changes, and takes it from the others. This follows upstream's rules for managedFields;
the versions of a kind are taken to have the same fields.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects import fields
from fairway.kernel.objects.fields import Path
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place

APPLY, UPDATE = "Apply", "Update"


@dataclass(frozen=True, slots=True)
class Owner:
    """One who writes: the name that the client gives, how it writes, in which version, and to which subresource."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


Owners = Mapping[Owner, frozenset[Path]]


class Conflicts(Exception):
    """Fields that others own with other values, by owner."""

    def __init__(self, found: Mapping[Owner, list[Path]]) -> None:
        super().__init__(f"conflicts with {len(found)} owners")
        self.found = found


def apply(
    live: Object, wanted: Object, owners: Owners, owner: Owner, place: Place, *, force: bool, ignored: Iterable[Path]
) -> tuple[Object, Owners]:
    """The object as `owner` wants it, and who owns what then. Raises Conflicts, and BadRequest."""
    mine = _owned(fields.leaves(wanted, place), ignored)
    merged = laid_over(live, wanted, place)
    before, after = fields.leaves(live, place), fields.leaves(merged, place)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    theirs = {other: held for other, held in owners.items() if other != owner}
    contested = {other: sorted(held & changed) for other, held in theirs.items() if held & changed}
    if contested and not force:
        raise Conflicts(contested)
    theirs = {other: held - changed for other, held in theirs.items()}
    kept = mine.union(*theirs.values())
    gone = fields.with_parents(owners.get(owner, frozenset())) - fields.with_parents(kept) - {("f:metadata",)}
    result = _pruned(merged, place, (), gone) if gone else merged
    return result, _without_empty({**theirs, owner: mine})


def update(old: Object, new: Object, owners: Owners, owner: Owner, place: Place, *, ignored: Iterable[Path]) -> Owners:
    """Who owns what after `owner` has turned `old` into `new`."""
    before, after = _owned_values(old, place, ignored), _owned_values(new, place, ignored)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    removed = before.keys() - after.keys()
    if not changed and not removed:
        return owners
    result = {other: held - changed - removed for other, held in owners.items()}
    result[owner] = (owners.get(owner, frozenset()) | changed) - removed
    return _without_empty(result)


def all_of(obj: Object, place: Place, ignored: Iterable[Path]) -> frozenset[Path]:
    """Every field of an object that can have an owner."""
    return _owned(fields.leaves(obj, place), ignored)


def _owned(found: Iterable[Path], ignored: Iterable[Path]) -> frozenset[Path]:
    hidden = frozenset(ignored)
    lengths = {len(path) for path in hidden}
    return frozenset(path for path in found if not any(path[:length] in hidden for length in lengths))


def _owned_values(obj: Object, place: Place, ignored: Iterable[Path]) -> dict[Path, Any]:
    found = fields.leaves(obj, place)
    return {path: found[path] for path in _owned(found, ignored)}


def _without_empty(owners: Owners) -> Owners:
    return {owner: held for owner, held in owners.items() if held}


def laid_over(live: Any, wanted: Any, place: Place) -> Any:
    """What is wanted laid over what is there, along the places where values have parts."""
    if isinstance(wanted, dict) and isinstance(live, dict) and not place.atomic:
        result = dict(live)
        for name, value in wanted.items():
            result[name] = laid_over(live.get(name), value, place.member(name))
        return result
    if isinstance(wanted, list) and isinstance(live, list) and place.list_type != "atomic":
        return _merged_list(live, wanted, place)
    return wanted


def _merged_list(live: list[Any], wanted: list[Any], place: Place) -> list[Any]:
    """The wanted elements in their order; the others stay where they were, as far as that goes."""
    old = {fields.element(item, place): item for item in live}
    new = {fields.element(item, place): item for item in wanted}
    left, taken = deque(old), set()
    result: list[Any] = []
    for word, item in new.items():
        while left and (left[0] in taken or left[0] not in new):
            if (first := left.popleft()) not in taken:
                result.append(old[first])
        taken.add(word)
        result.append(laid_over(old[word], item, place.item) if word in old else item)
    return result + [old[word] for word in left if word not in taken]


def _pruned(value: Any, place: Place, path: Path, gone: set[Path]) -> Any:
    """The value without the paths that are gone, each with all beneath it."""
    if isinstance(value, dict):
        result = {}
        for name, inner in value.items():
            here = (*path, f"f:{name}")
            if here not in gone:
                result[name] = _pruned(inner, place.member(name), here, gone)
        return result
    if isinstance(value, list) and place.list_type != "atomic":
        words = [((*path, fields.element(item, place)), item) for item in value]
        return [_pruned(item, place.item, here, gone) for here, item in words if here not in gone]
    return value
