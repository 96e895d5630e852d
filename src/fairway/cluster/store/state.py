"""The state machine that every store shares: what is committed, what is on its way, and what happened lately.

A write is staged (checked against the newest content, given the next revision), made durable by whoever owns
this state, then committed, in the order of revisions. Only committed content can be read. Recent changes are
kept for watches and for lists of the past, up to a bound. No asyncio, no disk: those are `memory` and `sqlite`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

import orjson

from fairway.cluster.store.labels import LabelIndex
from fairway.cluster.store.protocol import Change, Compacted, Key, Position, Record, Snapshot, WrongRevision
from fairway.cluster.store.scope import Scope
from fairway.kernel.objects.kinds import Object

HISTORY = 10_000
"""Changes kept. At 2 KB an object this and `HISTORY_BYTES` come to some 80 MB of Python objects at most."""
HISTORY_BYTES = 16 << 20

Then = dict[Key, Record | None]
"""Objects as they were at a revision of the past; None where there was none yet."""


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

    def list(self, scope: Scope, at: int = 0, after: Position | None = None, limit: int = 0) -> Snapshot:
        then = self._then(scope, at) if at and at != self.revision else {}
        records = self._present(scope, after)
        if then:
            records = _as_it_was(records, then, scope, after)
        if not limit:
            return Snapshot(at or self.revision, list(records))
        page = list(islice(records, limit + 1))
        remaining = 0
        if len(page) > limit:
            del page[limit:]
            remaining = 1 if scope.name or scope.label else self._count(scope, then, _position(page[-1].key))
        return Snapshot(at or self.revision, page, remaining)

    def changed(self, resource: str) -> int:
        """The newest revision at which any object of the resource changed, or 0 where none did yet."""
        return self._changed.get(resource, 0)

    def changes(self, scope: Scope, since: int) -> Sequence[Change]:
        """What happened within the scope after revision `since`."""
        return [change for change in self.since(since) if scope.concerns(change)]

    def since(self, since: int) -> Sequence[Change]:
        """All that happened after revision `since`. Every revision is one change, so its place is known."""
        if since < self.compacted:
            raise Compacted(self.compacted)
        return self._changes[max(since - self.compacted, 0) :]

    def _present(self, scope: Scope, after: Position | None) -> Iterator[Record]:
        shelves = self._shelves.get(scope.resource, {})
        spaces = ([scope.namespace] if scope.namespace in shelves else ()) if scope.namespace else sorted(shelves)
        for space in spaces:
            if after is None or space > after[0]:
                yield from shelves[space].ordered(scope)
            elif space == after[0]:
                yield from shelves[space].ordered(scope, after[1])

    def _then(self, scope: Scope, at: int) -> Then:
        """What was changed since revision `at`, as it was then: its oldest change knows."""
        found: Then = {}
        for change in self.changes(Scope(scope.resource, scope.namespace, scope.name), at):
            found.setdefault(change.record.key, change.previous)
        return found

    def _count(self, scope: Scope, then: Then, after: Position) -> int:
        """How many there were of a namespace, or of all, after a position."""
        shelves = self._shelves.get(scope.resource, {})
        spaces = [scope.namespace] if scope.namespace else [space for space in shelves if space >= after[0]]
        present = (shelves[space].count(after[1] if space == after[0] else "") for space in spaces if space in shelves)
        gone = ((was is not None) - (self.get(key) is not None) for key, was in then.items() if _position(key) > after)
        return sum(present) + sum(gone)

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
            key = record.key
            shelf = self._shelves.get(key.resource, {}).get(key.namespace)
            if shelf is None:
                shelf = self._shelves.setdefault(key.resource, {})[key.namespace] = Shelf()
            shelf.records[key.name] = record
        for spaces in self._shelves.values():
            for shelf in spaces.values():
                shelf.settle()
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

    def settle(self) -> None:
        """Put the names in order after records were put in by themselves."""
        self._names = sorted(self.records)

    def ordered(self, scope: Scope, after: str = "") -> list[Record] | Iterator[Record]:
        """Those of the scope's name and label, from the first whose name comes after `after`."""
        records = self.records
        if scope.name:
            found = records.get(scope.name) if scope.name > after else None
            return [found] if found is not None and scope.holds(found) else []
        if scope.label is None:
            first = bisect_right(self._names, after) if after else 0
            return map(records.__getitem__, islice(self._names, first, None))
        return [records[name] for name in sorted(self._labels.names(scope.label, records.values())) if name > after]

    def count(self, after: str) -> int:
        return len(self._names) - (bisect_right(self._names, after) if after else 0)


def _as_it_was(present: Iterable[Record], then: Then, scope: Scope, after: Position | None) -> Iterator[Record]:
    """The present with what changed since put back as it was."""
    back = [was for key, was in then.items() if was and scope.holds(was) and (after is None or _position(key) > after)]
    kept = (record for record in present if record.key not in then)
    return merge(kept, sorted(back, key=_place), key=_place)


def _position(key: Key) -> Position:
    return key.namespace, key.name


def _place(record: Record) -> Position:
    return record.key.namespace, record.key.name


def _record(key: Key, obj: Object, revision: int) -> Record:
    """Only what changes is copied: the object itself and its metadata."""
    stamped = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
    return Record(key, revision, orjson.dumps(stamped), stamped)
