"""Which objects carry a label, so that a list by label does not look at all the others.

A label is indexed from the first time that somebody asks for it; what nobody asks for costs nothing. `state` keeps
one index for each resource and namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from fairway.cluster.store.protocol import Label, Record

MOST_KEYS = 16
"""Keys indexed at once; the one that was asked for first goes first."""


class LabelIndex:
    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, set[str]]] = {}  # key -> value -> names

    def names(self, label: Label, records: Iterable[Record]) -> Set[str]:
        """The names of those `records` (all that this index was told of) that carry the label."""
        key, value = label
        values = self._keys.get(key)
        if values is None:
            values = self._add(key, records)
        return values.get(value, frozenset())

    def change(self, old: Record | None, new: Record | None) -> None:
        for key, values in self._keys.items():
            before = carried(old, key) if old else None
            after = carried(new, key) if new else None
            if before == after:
                continue
            if old and before is not None:
                values[before].discard(old.key.name)
                if not values[before]:
                    del values[before]
            if new and after is not None:
                values.setdefault(after, set()).add(new.key.name)

    def _add(self, key: str, records: Iterable[Record]) -> dict[str, set[str]]:
        if len(self._keys) >= MOST_KEYS:
            del self._keys[next(iter(self._keys))]
        values: dict[str, set[str]] = {}
        for record in records:
            value = carried(record, key)
            if value is not None:
                values.setdefault(value, set()).add(record.key.name)
        self._keys[key] = values
        return values


def carried(record: Record, key: str) -> str | None:
    """The value of one label of an object, None where it has no such label."""
    value: str | None = (record.object["metadata"].get("labels") or {}).get(key)
    return value
