"""The contract of `Store`, as tests: whoever writes a store subclasses this with a fixture `store` and runs it.

It uses the protocol only. What is particular to one implementation (files, locks, a full disk) is tested beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
import pytest

from fairway.cluster.store.protocol import Change, Compacted, Key, Store, WrongRevision
from fairway.kernel.objects.kinds import Object


def key(name: str, namespace: str = "one", resource: str = "pods") -> Key:
    return Key(resource, namespace, name)


def obj(name: str, **spec: object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def take(changes: AsyncGenerator[Change, None], count: int) -> list[Change]:
    async with asyncio.timeout(5):
        return [await anext(changes) for _ in range(count)]


def seen(changes: list[Change]) -> list[tuple[str, str, int]]:
    return [(change.type, change.record.key.name, change.revision) for change in changes]


class StoreContract:
    # One object

    async def test_a_created_object_can_be_read(self, store: Store) -> None:
        record = await store.create(key("a"), obj("a", size=1))
        assert store.get(key("a")) == record
        assert record.object["metadata"] == {"name": "a", "resourceVersion": str(record.revision)}
        assert orjson.loads(record.value) == record.object
        assert store.revision == record.revision

    async def test_the_given_object_is_left_alone(self, store: Store) -> None:
        given = obj("a")
        await store.create(key("a"), given)
        assert given == obj("a")

    async def test_creating_what_exists_is_refused_with_its_revision(self, store: Store) -> None:
        first = await store.create(key("a"), obj("a"))
        with pytest.raises(WrongRevision) as refused:
            await store.create(key("a"), obj("a"))
        assert refused.value.current == first.revision

    async def test_an_update_needs_the_newest_revision(self, store: Store) -> None:
        first = await store.create(key("a"), obj("a"))
        second = await store.update(key("a"), obj("a", size=2), first.revision)
        with pytest.raises(WrongRevision) as refused:
            await store.update(key("a"), obj("a", size=3), first.revision)
        assert refused.value.current == second.revision
        assert store.get(key("a")) == second

    async def test_what_is_not_there_cannot_be_changed(self, store: Store) -> None:
        for expected in (0, 7):
            with pytest.raises(WrongRevision) as refused:
                await store.update(key("a"), obj("a"), expected)
            assert refused.value.current == 0
            with pytest.raises(WrongRevision):
                await store.delete(key("a"), expected)

    async def test_a_deletion_gives_the_last_content_with_a_new_revision(self, store: Store) -> None:
        first = await store.create(key("a"), obj("a", size=1))
        last = await store.delete(key("a"), first.revision)
        assert last.revision > first.revision
        assert last.object["spec"] == {"size": 1}
        assert last.object["metadata"]["resourceVersion"] == str(last.revision)
        assert store.get(key("a")) is None
        again = await store.create(key("a"), obj("a"))
        assert again.revision > last.revision

    async def test_content_that_is_not_json_changes_nothing(self, store: Store) -> None:
        with pytest.raises(TypeError):
            await store.create(key("a"), obj("a", what=object()))
        assert (await store.create(key("a"), obj("a"))).revision == 1

    # Many writers

    async def test_of_many_writers_with_the_same_revision_one_wins(self, store: Store) -> None:
        first = await store.create(key("a"), obj("a"))
        results = await asyncio.gather(
            *(store.update(key("a"), obj("a", size=size), first.revision) for size in range(20)),
            return_exceptions=True,
        )
        winners = [result for result in results if not isinstance(result, BaseException)]
        losers = [result for result in results if isinstance(result, WrongRevision)]
        assert (len(winners), len(losers)) == (1, 19)
        assert {loser.current for loser in losers} == {winners[0].revision}
        assert store.get(key("a")) == winners[0]

    async def test_a_conflict_is_told_when_the_newer_content_can_be_read(self, store: Store) -> None:
        async def creator() -> int:
            try:
                return (await store.create(key("a"), obj("a"))).revision
            except WrongRevision as refused:
                found = store.get(key("a"))
                assert found is not None
                assert found.revision == refused.current
                return found.revision

        assert len(set(await asyncio.gather(*(creator() for _ in range(10))))) == 1

    async def test_each_write_has_its_own_revision(self, store: Store) -> None:
        records = await asyncio.gather(*(store.create(key(f"n{i}"), obj(f"n{i}")) for i in range(200)))
        assert sorted(record.revision for record in records) == list(range(1, 201))

    async def test_a_write_goes_on_when_its_caller_is_cancelled(self, store: Store) -> None:
        writing = asyncio.create_task(store.create(key("a"), obj("a")))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        async with asyncio.timeout(5):
            await store.progress(1)
        assert store.get(key("a")) is not None

    # Lists

    async def test_lists_are_ordered_and_keep_to_their_namespace(self, store: Store) -> None:
        for namespace, name in (("two", "a"), ("one", "c"), ("one", "a"), ("one", "b")):
            await store.create(key(name, namespace), obj(name))
        await store.create(key("x", resource="services"), obj("x"))
        everything = store.list("pods")
        assert [(r.key.namespace, r.key.name) for r in everything.records] == [
            ("one", "a"),
            ("one", "b"),
            ("one", "c"),
            ("two", "a"),
        ]
        assert everything.revision == store.revision
        assert [record.key.name for record in store.list("pods", "one").records] == ["a", "b", "c"]
        assert store.list("pods", "three").records == []
        assert store.list("nodes").records == []

    async def test_a_list_can_be_of_the_past(self, store: Store) -> None:
        a = await store.create(key("a"), obj("a", size=1))
        b = await store.create(key("b"), obj("b"))
        await store.update(key("a"), obj("a", size=2), a.revision)
        await store.delete(key("b"), b.revision)
        await store.create(key("c"), obj("c"))
        past = store.list("pods", "one", at=b.revision)
        assert past.revision == b.revision
        assert past.records == [a, b]
        assert [record.key.name for record in store.list("pods").records] == ["a", "c"]

    async def test_a_list_by_label_is_the_list_of_those_that_carry_it(self, store: Store) -> None:
        def names(at: int = 0, namespace: str = "") -> list[str]:
            snapshot = store.list("pods", namespace, at=at, label=("app", "web"))
            return [record.key.name for record in snapshot.records]

        def labelled(name: str, **labels: str) -> Object:
            return {**obj(name), "metadata": {"name": name, "labels": labels}}

        b = await store.create(key("b"), labelled("b", app="web"))
        await store.create(key("c", "two"), labelled("c", app="web", tier="x"))
        d = await store.create(key("d"), labelled("d", app="other"))
        assert names() == ["b", "c"]
        assert names(namespace="two") == ["c"]
        await store.create(key("a"), labelled("a", app="web"))
        await store.update(key("b"), labelled("b", tier="web"), b.revision)
        d = await store.update(key("d"), labelled("d", app="web"), d.revision)
        assert names() == ["a", "d", "c"]
        assert names(namespace="one") == ["a", "d"]
        last = await store.delete(key("d"), d.revision)
        await store.create(key("e"), obj("e"))
        assert names() == ["a", "c"]
        assert names(at=last.revision - 1) == ["a", "d", "c"]

    async def test_a_list_by_label_is_right_however_many_keys_are_asked_for(self, store: Store) -> None:
        labels = {f"key-{number}": "x" for number in range(40)}
        await store.create(key("a"), {**obj("a"), "metadata": {"name": "a", "labels": labels}})
        for _ in range(2):
            for label in labels.items():
                assert len(store.list("pods", "one", label=label).records) == 1
        await store.create(key("b"), {**obj("b"), "metadata": {"name": "b", "labels": labels}})
        for label in labels.items():
            assert len(store.list("pods", "one", label=label).records) == 2

    async def test_a_given_list_does_not_change_later(self, store: Store) -> None:
        a = await store.create(key("a"), obj("a"))
        listed = store.list("pods", "one").records
        await store.delete(key("a"), a.revision)
        assert listed == [a]

    # Watches

    async def test_a_watch_tells_the_past_then_the_present(self, store: Store) -> None:
        a = await store.create(key("a"), obj("a"))
        a2 = await store.update(key("a"), obj("a", size=2), a.revision)
        async with aclosing(store.watch("pods", since=a.revision)) as changes:
            (first,) = await take(changes, 1)
            assert (first.type, first.record, first.previous) == ("MODIFIED", a2, a)
            gone = await store.delete(key("a"), a2.revision)
            b = await store.create(key("b"), obj("b"))
            last, born = await take(changes, 2)
        assert (last.type, last.record, last.previous) == ("DELETED", gone, a2)
        assert (born.type, born.record, born.previous) == ("ADDED", b, None)

    async def test_a_watch_is_in_force_before_its_first_step(self, store: Store) -> None:
        changes = store.watch("pods", since=0)
        await store.create(key("a"), obj("a"))
        assert seen(await take(changes, 1)) == [("ADDED", "a", 1)]
        await changes.aclose()

    async def test_a_watch_keeps_to_its_resource_and_namespace(self, store: Store) -> None:
        await store.create(key("old", "two"), obj("old"))
        async with aclosing(store.watch("pods", "one", since=0)) as changes:
            await store.create(key("x", "two"), obj("x"))
            await store.create(key("y", resource="services"), obj("y"))
            await store.create(key("z", "one"), obj("z"))
            assert seen(await take(changes, 1)) == [("ADDED", "z", 4)]

    async def test_a_watch_from_the_future_waits_for_it(self, store: Store) -> None:
        async with aclosing(store.watch("pods", since=2)) as changes:
            for name in "abc":
                await store.create(key(name), obj(name))
            assert seen(await take(changes, 1)) == [("ADDED", "c", 3)]

    async def test_all_watchers_see_the_same_order(self, store: Store) -> None:
        watches = [store.watch("pods", since=0) for _ in range(5)]
        await asyncio.gather(*(store.create(key(f"n{i}"), obj(f"n{i}")) for i in range(100)))
        stories = [seen(await take(changes, 100)) for changes in watches]
        assert [revision for _, _, revision in stories[0]] == list(range(1, 101))
        assert all(story == stories[0] for story in stories)
        for changes in watches:
            await changes.aclose()

    async def test_what_changed_can_be_asked_for(self, store: Store) -> None:
        first = await store.create(key("a"), obj("a"))
        await store.create(key("b", "two", "secrets"), obj("b"))
        await store.delete(key("a"), first.revision)
        assert seen(list(store.changes(first.revision - 1))) == [
            ("ADDED", "a", 1),
            ("ADDED", "b", 2),
            ("DELETED", "a", 3),
        ]
        assert seen(list(store.changes(first.revision + 1))) == [("DELETED", "a", 3)]
        assert not list(store.changes(store.revision))
        await store.compact(store.revision)
        with pytest.raises(Compacted):
            store.changes(first.revision)

    async def test_a_write_is_pending_until_it_is_done(self, store: Store) -> None:
        assert not store.pending(key("a"))
        await store.create(key("a"), obj("a"))
        writing = asyncio.create_task(store.update(key("a"), obj("a", size=2), store.revision))
        await asyncio.sleep(0)
        while store.pending(key("a")):
            assert "size" not in store.get(key("a")).object["spec"]  # type: ignore[union-attr]
            await asyncio.sleep(0)
        assert store.get(key("a")).object["spec"] == {"size": 2}  # type: ignore[union-attr]
        await writing

    async def test_a_watch_says_in_order_how_far_it_is_complete(self, store: Store) -> None:
        async with aclosing(store.watch("pods", since=0)) as changes:
            await store.create(key("a"), obj("a"))
            changes.progress(store.revision)
            await store.create(key("b"), obj("b"))
            told = await take(changes, 3)
        assert [(change.type, change.revision) for change in told] == [("ADDED", 1), ("PROGRESS", 1), ("ADDED", 2)]

    async def test_a_watch_that_is_ended_gives_what_came_before(self, store: Store) -> None:
        changes = store.watch("pods", since=0)
        await store.create(key("a"), obj("a"))
        changes.end()
        await store.create(key("b"), obj("b"))
        changes.progress(store.revision)
        assert [change.record.key.name async for change in changes] == ["a"]

    async def test_a_closed_watch_ends(self, store: Store) -> None:
        changes = store.watch("pods", since=0)
        waiting = asyncio.ensure_future(anext(changes, None))
        await asyncio.sleep(0)
        await changes.aclose()
        assert await waiting is None

    async def test_watches_end_with_the_store(self, store: Store) -> None:
        changes = store.watch("pods", since=0)
        await store.create(key("a"), obj("a"))
        await store.close()
        assert [change.record.key.name async for change in changes] == ["a"]

    async def test_a_reader_that_lags_too_far_is_cut_off_and_the_writer_goes_on(self, store: Store) -> None:
        idle = store.watch("pods", since=0)
        record = await store.create(key("a"), obj("a"))
        written = 1
        with pytest.raises(Compacted):
            while True:
                # Bursts, so that a store with a disk can share its commits among them.
                names = [f"n{written + i}" for i in range(500)]
                await asyncio.gather(*(store.create(key(name), obj(name)) for name in names))
                written += 500
                assert written < 200_000, "the backlog of a watch must have a bound"
                if written % 10_000 == 1:
                    await take(idle, 1)
        assert store.get(key("a")) == record

    # Compaction

    async def test_history_can_be_forgotten(self, store: Store) -> None:
        a = await store.create(key("a"), obj("a", size=1))
        b = await store.create(key("b"), obj("b"))
        a2 = await store.update(key("a"), obj("a", size=2), a.revision)
        await store.delete(key("b"), b.revision)
        await store.compact(a2.revision)
        assert store.compacted == a2.revision
        with pytest.raises(Compacted) as refused:
            store.watch("pods", since=b.revision)
        assert refused.value.oldest == a2.revision
        with pytest.raises(Compacted):
            store.list("pods", at=b.revision)
        async with aclosing(store.watch("pods", since=a2.revision)) as changes:
            assert seen(await take(changes, 1)) == [("DELETED", "b", 4)]
        assert store.list("pods", at=a2.revision).records == [a2, b]
        assert store.list("pods").records == [a2]

    async def test_compaction_never_goes_beyond_the_present_nor_back(self, store: Store) -> None:
        await store.create(key("a"), obj("a"))
        await store.compact(99)
        assert store.compacted == 1
        await store.compact(0)
        assert store.compacted == 1
        assert (await store.create(key("b"), obj("b"))).revision == 2

    # Progress

    async def test_progress_returns_when_the_revision_is_there(self, store: Store) -> None:
        waiting = asyncio.ensure_future(store.progress(2))
        await store.create(key("a"), obj("a"))
        assert not waiting.done()
        await store.create(key("b"), obj("b"))
        async with asyncio.timeout(5):
            await waiting
        assert store.revision == 2
        await store.progress(1)
