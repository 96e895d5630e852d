"""Whatever is written in whatever order: revisions count up by one, and any moment of the past replays to now."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.store.protocol import Key, Record, WrongRevision
from fairway.cluster.store.sqlite import SQLiteStore

NAMES = ("a", "b", "c")

# An action: what, on which name, and whether to go on before it is acknowledged.
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["create", "update", "delete", "stale"]), st.sampled_from(NAMES), st.booleans()),
    max_size=40,
)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(ACTIONS)
def test_in_memory(actions: list[tuple[str, str, bool]]) -> None:
    async def run() -> None:
        store = MemoryStore()
        await perform(store, actions)
        await check_history(store)

    asyncio.run(run())


@FEW
@given(ACTIONS)
def test_in_sqlite_and_after_a_restart(actions: list[tuple[str, str, bool]]) -> None:
    async def run(file: Path) -> None:
        store = await SQLiteStore.open(file)
        await perform(store, actions)
        await check_history(store)
        before = store.list("pods")
        await store.close()
        store = await SQLiteStore.open(file)
        assert store.list("pods") == before
        await check_history(store)
        await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "objects.db"))


async def perform(store: MemoryStore, actions: list[tuple[str, str, bool]]) -> None:
    going: list[asyncio.Task[None]] = []
    for number, (what, name, together) in enumerate(actions):
        going.append(asyncio.create_task(act(store, what, name, number)))
        if not together:
            await asyncio.gather(*going)
            going.clear()
    await asyncio.gather(*going)


async def act(store: MemoryStore, what: str, name: str, number: int) -> None:
    key = Key("pods", "one", name)
    found = store.get(key)
    content = {"metadata": {"name": name}, "number": number}
    revision = found.revision if found else 0
    try:
        if what == "create":
            await store.create(key, content)
        elif what == "update":
            await store.update(key, content, revision)
        elif what == "delete":
            await store.delete(key, revision)
        else:
            await store.update(key, content, revision + 1_000)
    except WrongRevision as refused:
        # What is told is true: it is what anybody can read now.
        now = store.get(key)
        assert refused.current == (now.revision if now else 0)


async def check_history(store: MemoryStore) -> None:
    present = {record.key: record for record in store.list("pods").records}
    changes = store.watch("pods", since=0)
    told = [await anext(changes) for _ in range(store.revision)]
    await changes.aclose()
    assert [change.revision for change in told] == list(range(1, store.revision + 1))
    for since in range(store.revision + 1):
        then = store.list("pods", at=since) if since else None
        state: dict[Key, Record] = {record.key: record for record in then.records} if then else {}
        for change in told[since:]:
            assert change.previous == state.get(change.record.key)
            assert change.type == (
                "DELETED" if change.type == "DELETED" else "MODIFIED" if change.previous else "ADDED"
            )
            if change.type == "DELETED":
                del state[change.record.key]
            else:
                state[change.record.key] = change.record
        assert state == present
