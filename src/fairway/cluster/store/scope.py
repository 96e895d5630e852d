"""What part of the objects a list or a watch is about, and whether a change concerns it."""

from __future__ import annotations

from typing import NamedTuple

from fairway.cluster.store.labels import carried
from fairway.cluster.store.protocol import Change, Key, Label, Record


class Scope(NamedTuple):
    """Empty parts say nothing: every namespace, every name, with whatever labels."""

    resource: str
    namespace: str = ""
    name: str = ""
    label: Label | None = None

    def covers(self, key: Key) -> bool:
        return key.resource == self.resource and self.namespace in ("", key.namespace) and self.name in ("", key.name)

    def holds(self, record: Record) -> bool:
        return self.covers(record.key) and (self.label is None or carried(record, self.label[0]) == self.label[1])

    def concerns(self, change: Change) -> bool:
        """Whether the object is in scope, or was before the change."""
        previous = change.previous
        return self.holds(change.record) or (previous is not None and self.holds(previous))
