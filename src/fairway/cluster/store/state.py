"""The state machine that every store shares: what is committed, what is on its way, and what happened lately.

A write is staged (checked against the newest content, given the next revision), made durable by whoever owns
this state, then committed, in the order of revisions. Only committed content can be read. Recent changes are
kept for watches and for lists of the past, up to a bound. No asyncio, no disk: those are `memory` and `sqlite`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import islice

import orjson

from fairway.cluster.store.labels import LabelIndex, carried
from fairway.cluster.store.protocol import Change, Compacted, Key, Label, Record, Snapshot, WrongRevision
from fairway.kernel.objects.kinds import Object

HISTORY = 10_000
"""Changes kept. At 2 KB an object this and `HISTORY_BYTES` come to some 80 MB of Python objects at most."""
HISTORY_BYTES = 16 << 20


class State:
    def __init__(self, *, history: int = HISTORY, history_bytes: int = HISTORY_BYTES) -> None:
        self.revision = 0
        self.compacted = 0
        self._shelves: dict[str, dict[str, Shelf]] = {}
        self._staged: dict[Key, Change] = {}
        self._changed: dict[str, int] = {}
        self._head = 0
        self._changes: list[Change] = []
        self._weight = 0
        self._history, self._history_bytes = history, history_bytes

    # Reading

    def get(self, key: Key) -> Record | None:
        shelf = self._shelves.get(key.resource, {}).get(key.namespace)
        return shelf.records.get(key.name) if shelf else None

    def list(self, resource: str, namespace: str = "", at: int = 0, label: Label | None = None) -> Snapshot:
        shelves = self._shelves.get(resource, {})
        if at and at != self.revision:
            return self._past(resource, namespace, at, label)
        if namespace:
            shelf = shelves.get(namespace)
            return Snapshot(self.revision, shelf.ordered(label) if shelf else [])
        records = [record for space in sorted(shelves) for record in shelves[space].ordered(label)]
        return Snapshot(self.revision, records)

    def changed(self, resource: str) -> int:
        """The newest revision at which any object of the resource changed, or 0 where none did yet."""
        return self._changed.get(resource, 0)

    def changes(self, resource: str, namespace: str, since: int) -> Sequence[Change]:
        """What happened to a resource after revision `since`."""
        return [
            change
            for change in self.since(since)
            if change.record.key.resource == resource and namespace in ("", change.record.key.namespace)
        ]

    def since(self, since: int) -> Sequence[Change]:
        """All that happened after revision `since`. Every revision is one change, so its place is known."""
        if since < self.compacted:
            raise Compacted(self.compacted)
        return self._changes[max(since - self.compacted, 0) :]

    def _past(self, resource: str, namespace: str, at: int, label: Label | None) -> Snapshot:
        """The present with the changes since `at` taken back, newest first."""
        found = {record.key: record for record in self.list(resource, namespace).records}
        for change in reversed(self.changes(resource, namespace, at)):
            if change.previous is None:
                found.pop(change.record.key, None)
            else:
                found[change.previous.key] = change.previous
        records = sorted(found.values(), key=lambda record: (record.key.namespace, record.key.name))
        return Snapshot(
            at, records if label is None else [one for one in records if carried(one, label[0]) == label[1]]
        )

    # Writing

    def create(self, key: Key, obj: Object) -> Change:
        return self._stage(key, obj, 0)

    def update(self, key: Key, obj: Object, expected: int) -> Change:
        if not expected:
            raise WrongRevision(key, self._current(key))
        return self._stage(key, obj, expected)

    def delete(self, key: Key, expected: int) -> Change:
        if not expected:
            raise WrongRevision(key, self._current(key))
        return self._stage(key, None, expected)

    def staged(self, key: Key) -> Change | None:
        """The newest change of the key that is not committed yet."""
        return self._staged.get(key)

    def commit(self, change: Change) -> None:
        """Make a staged change (or, at start, a stored one) the truth. Called in the order of revisions."""
        record = change.record
        shelves = self._shelves.setdefault(record.key.resource, {})
        if change.type == "DELETED":
            shelf = shelves[record.key.namespace]
            shelf.remove(record.key.name)
            if not shelf.records:
                del shelves[record.key.namespace]
        else:
            shelves.setdefault(record.key.namespace, Shelf()).put(record)
        if self._staged.get(record.key) is change:
            del self._staged[record.key]
        self.revision = self._changed[record.key.resource] = change.revision
        self._head = max(self._head, self.revision)
        self._remember(change)

    def abandon(self) -> None:
        """Forget everything staged: it could not be made durable. Nobody has seen its revisions, so they come again."""
        self._staged.clear()
        self._head = self.revision

    def forget(self, before: int) -> None:
        """Drop history up to and including revision `before`; a watch from `before` still works."""
        before = min(before, self.revision)
        if before <= self.compacted:
            return
        count = before - self.compacted
        self._weight -= sum(len(change.record.value) for change in islice(self._changes, count))
        del self._changes[:count]
        self.compacted = before

    def restore(self, records: Iterable[Record], changes: Iterable[Change], revision: int, compacted: int) -> None:
        """Take over what was stored: the current records, and all changes after `compacted`."""
        for record in records:
            spaces = self._shelves.setdefault(record.key.resource, {})
            spaces.setdefault(record.key.namespace, Shelf()).put(record)
        self.revision = self._head = revision
        self.compacted = compacted
        for change in changes:
            self._remember(change)

    def _current(self, key: Key) -> int:
        """The newest revision of the key, staged or committed; 0 where there is nothing."""
        staged = self._staged.get(key)
        if staged:
            return 0 if staged.type == "DELETED" else staged.revision
        record = self.get(key)
        return record.revision if record else 0

    def _stage(self, key: Key, obj: Object | None, expected: int) -> Change:
        current = self._current(key)
        if current != expected:
            raise WrongRevision(key, current)
        staged = self._staged.get(key)
        previous = self.get(key) if staged is None else None if staged.type == "DELETED" else staged.record
        content = previous.object if obj is None and previous else obj
        assert content is not None, "a deletion has a previous record, because its expected revision is not 0"
        type_ = "DELETED" if obj is None else "MODIFIED" if previous else "ADDED"
        change = Change(type_, _record(key, content, self._head + 1), previous)
        self._head = change.revision
        self._staged[key] = change
        return change

    def _remember(self, change: Change) -> None:
        self._changes.append(change)
        self._weight += len(change.record.value)
        if len(self._changes) > self._history or self._weight > self._history_bytes:
            # An eighth at a time, so that cutting the front of the list costs little for each change.
            self.forget(self.compacted + max(len(self._changes) // 8, 1))


class Shelf:
    """The records of one resource in one namespace, with their names in order."""

    __slots__ = ("_labels", "_names", "records")

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._names: list[str] = []
        self._labels = LabelIndex()

    def put(self, record: Record) -> None:
        old = self.records.get(record.key.name)
        if old is None:
            insort(self._names, record.key.name)
        self.records[record.key.name] = record
        self._labels.change(old, record)

    def remove(self, name: str) -> None:
        self._labels.change(self.records.pop(name), None)
        del self._names[bisect_left(self._names, name)]

    def ordered(self, label: Label | None = None) -> list[Record]:
        records = self.records
        names = self._names if label is None else sorted(self._labels.names(label, records.values()))
        return [records[name] for name in names]


def _record(key: Key, obj: Object, revision: int) -> Record:
    """Only what changes is copied: the object itself and its metadata."""
    stamped = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
    return Record(key, revision, orjson.dumps(stamped), stamped)
