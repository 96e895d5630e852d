"""Whatever was written: pages of any moment come to the whole list of it, and a watch of a part sees that part."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.store.protocol import Change, Key, Label, Record
from fairway.cluster.store.scope import Scope

SPACES, NAMES, VALUES = ("one", "two"), ("a", "b", "c", "d"), ("x", "y", "")

# A write: where, and the label's value; None deletes.
WRITES = st.lists(
    st.tuples(st.sampled_from(SPACES), st.sampled_from(NAMES), st.sampled_from((*VALUES, None))), max_size=30
)
SCOPES = [
    Scope("pods", space, name, label)
    for space in ("", *SPACES)
    for name in ("", "b")
    for label in (None, ("app", "x"), ("app", ""), ("none", "x"))
]


@dataclass(frozen=True)
class Past:
    revision: int
    records: dict[Key, Record]


@settings(max_examples=60, deadline=None)
@given(WRITES)
def test_pages_of_any_moment_are_the_list_of_that_moment(writes: list[tuple[str, str, str | None]]) -> None:
    asyncio.run(check_pages(writes))


@settings(max_examples=60, deadline=None)
@given(WRITES, st.integers(0, 30))
def test_a_watch_of_a_part_sees_what_concerns_the_part(writes: list[tuple[str, str, str | None]], begin: int) -> None:
    asyncio.run(check_watches(writes, begin))


async def write(store: MemoryStore, space: str, name: str, value: str | None) -> None:
    key = Key("pods", space, name)
    there = store.get(key)
    obj = {"metadata": {"name": name, "labels": {"app": value}}}
    if value is None:
        if there:
            await store.delete(key, there.revision)
    elif there:
        await store.update(key, obj, there.revision)
    else:
        await store.create(key, obj)


async def check_pages(writes: list[tuple[str, str, str | None]]) -> None:
    store, pasts = MemoryStore(), list[Past]()
    for space, name, value in writes:
        await write(store, space, name, value)
        if store.revision:
            pasts.append(Past(store.revision, {record.key: record for record in store.list("pods").records}))
    for past in pasts:
        for scope in SCOPES:
            wanted = [past.records[key] for key in sorted(past.records, key=lambda key: (key.namespace, key.name))]
            check_scope(store, past.revision, scope, [record for record in wanted if scope.holds(record)])


def check_scope(store: MemoryStore, at: int, scope: Scope, wanted: list[Record]) -> None:
    def page(after: tuple[str, str] | None, limit: int) -> tuple[list[Record], int]:
        found = store.list("pods", scope.namespace, name=scope.name, label=scope.label, at=at, after=after, limit=limit)
        assert found.revision == (at or store.revision)
        return found.records, found.remaining

    assert page(None, 0) == (wanted, 0)
    for limit in (1, 3):
        seen: list[Record] = []
        while True:
            last = (seen[-1].key.namespace, seen[-1].key.name) if seen else None
            records, remaining = page(last, limit)
            seen += records
            exact = len(wanted) - len(seen)
            assert remaining == exact if not (scope.name or scope.label) else bool(remaining) == bool(exact)
            if not remaining:
                break
        assert seen == wanted


async def check_watches(writes: list[tuple[str, str, str | None]], begin: int) -> None:
    store = MemoryStore()
    for space, name, value in writes[:begin]:
        await write(store, space, name, value)
    since = store.revision // 2
    everything = store.watch("pods", since=since)
    parts = [store.watch("pods", scope.namespace, name=scope.name, label=scope.label, since=since) for scope in SCOPES]
    for space, name, value in writes[begin:]:
        await write(store, space, name, value)
    await store.close()
    told: list[Change] = [change async for change in everything]
    assert [change.revision for change in told] == list(range(since + 1, store.revision + 1))
    for scope, part in zip(SCOPES, parts, strict=True):
        assert [change async for change in part] == [change for change in told if concerns(scope, change)]


def concerns(scope: Scope, change: Change) -> bool:
    records = [record for record in (change.record, change.previous) if record]
    return any(in_scope(scope.namespace, scope.name, scope.label, record) for record in records)


def in_scope(namespace: str, name: str, label: Label | None, record: Record) -> bool:
    labels = record.object["metadata"]["labels"]
    return (
        namespace in ("", record.key.namespace)
        and name in ("", record.key.name)
        and (label is None or (label[0] in labels and labels[label[0]] == label[1]))
    )
