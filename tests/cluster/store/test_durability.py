"""What a SQLiteStore keeps: after a restart, a kill, a full disk, and a second server at the same door."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairway.cluster.store.lock import StoreLocked
from fairway.cluster.store.protocol import Compacted, Key, StoreFailed
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.kernel.objects.kinds import Object


def key(name: str) -> Key:
    return Key("pods", "one", name)


def obj(name: str, **spec: object) -> Object:
    return {"metadata": {"name": name, "namespace": "one"}, "spec": spec}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "objects.db"


async def test_a_restart_changes_nothing(file: Path) -> None:
    store = await SQLiteStore.open(file)
    a = await store.create(key("a"), obj("a", size=1))
    b = await store.create(key("b"), obj("b"))
    a2 = await store.update(key("a"), obj("a", size=2), a.revision)
    gone = await store.delete(key("b"), b.revision)
    before = [await anext(store.watch("pods", since=revision)) for revision in range(4)]
    await store.close()

    store = await SQLiteStore.open(file)
    assert (store.revision, store.compacted) == (4, 0)
    assert store.list("pods").records == [a2]
    assert store.list("pods", at=2).records == [a, b]
    assert [await anext(store.watch("pods", since=revision)) for revision in range(4)] == before
    assert before[-1].record == gone
    assert (await store.create(key("b"), obj("b"))).revision == 5
    await store.close()


async def test_revisions_never_go_back(file: Path) -> None:
    store = await SQLiteStore.open(file)
    record = await store.create(key("a"), obj("a"))
    await store.delete(key("a"), record.revision)
    await store.compact(store.revision)
    await store.close()

    store = await SQLiteStore.open(file)
    assert (store.revision, store.compacted) == (2, 2)
    with pytest.raises(Compacted):
        store.watch("pods", since=1)
    assert (await store.create(key("a"), obj("a"))).revision == 3
    await store.close()


async def test_what_memory_forgets_the_file_forgets_and_keeps_what_is_current(file: Path) -> None:
    store = await SQLiteStore.open(file, history=50)
    for name in ("quiet", "busy"):
        await store.create(key(name), obj(name))
    quiet = store.get(key("quiet"))
    for _ in range(40):
        newest = store.get(key("busy"))
        assert newest is not None
        revision = newest.revision
        # A hundred at a time: each names the revision that the one before it is going to have.
        await asyncio.gather(
            *(store.update(key("busy"), obj("busy", step=step), revision + step) for step in range(100))
        )
    await store.close()
    with sqlite3.connect(file) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM log").fetchone()
    connection.close()
    assert rows < 2_000
    store = await SQLiteStore.open(file, history=50)
    assert store.get(key("quiet")) == quiet
    assert store.revision == 4_002
    assert store.compacted >= 4_002 - 50
    past = store.list("pods", at=store.compacted).records
    assert [(record.key.name, record.revision) for record in past] == [("busy", store.compacted), ("quiet", 1)]
    await store.close()


async def test_closing_commits_what_was_on_its_way(file: Path) -> None:
    store = await SQLiteStore.open(file)
    writing = [asyncio.create_task(store.create(key(f"n{i}"), obj(f"n{i}"))) for i in range(1_000)]
    await asyncio.sleep(0)
    await store.close()
    assert all(not task.exception() for task in writing if task.done())
    assert all(task.done() for task in writing)
    with pytest.raises(StoreFailed):
        await store.create(key("late"), obj("late"))
    store = await SQLiteStore.open(file)
    assert len(store.list("pods").records) == 1_000
    await store.close()


async def test_nobody_else_can_read_the_files(file: Path) -> None:
    store = await SQLiteStore.open(file)
    await store.create(key("secret"), obj("secret"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert set(modes) == {"objects.db", "objects.db-wal", "objects.db-shm", "objects.db.lock"}
    assert set(modes.values()) == {0o600}
    await store.close()


async def test_a_second_server_is_refused_and_told_by_whom(file: Path) -> None:
    store = await SQLiteStore.open(file)
    with pytest.raises(StoreLocked, match="in use by another server") as refused:
        await SQLiteStore.open(file)
    assert refused.value.pid == os.getpid()
    await store.create(key("a"), obj("a"))
    await store.close()
    again = await SQLiteStore.open(file)
    assert again.get(key("a"))
    await again.close()


async def test_on_a_full_disk_writes_fail_whole_and_work_again_later(file: Path) -> None:
    store = await SQLiteStore.open(file)
    kept = await store.create(key("kept"), obj("kept"))
    changes = store.watch("pods", since=kept.revision)
    with no_file_grows_beyond(file.with_name(file.name + "-wal").stat().st_size + 10_000):
        results = await asyncio.gather(
            *(store.create(key(f"big{i}"), obj(f"big{i}", pad="x" * 5_000)) for i in range(20)),
            return_exceptions=True,
        )
        assert all(isinstance(result, StoreFailed) for result in results)
        assert store.list("pods").records == [kept]
        assert store.revision == kept.revision
    later = await store.create(key("later"), obj("later"))
    assert (await anext(changes)).record == later
    await store.close()

    store = await SQLiteStore.open(file)
    assert store.list("pods").records == [kept, later]
    await store.close()


async def test_a_write_that_stands_on_a_failed_one_fails_too(file: Path) -> None:
    store = await SQLiteStore.open(file)
    await store.create(key("kept"), obj("kept"))
    with no_file_grows_beyond(file.with_name(file.name + "-wal").stat().st_size):
        first = asyncio.create_task(store.create(key("a"), obj("a", pad="x" * 5_000)))
        second = asyncio.create_task(store.update(key("a"), obj("a", size=2), 2))
        results = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(result) for result in results] == [StoreFailed, StoreFailed]
    assert (await store.create(key("a"), obj("a", size=3))).revision == 2
    await store.close()


async def test_writes_queued_behind_a_failed_group_fail_even_where_they_would_fit(file: Path) -> None:
    store = await SQLiteStore.open(file)
    await store.create(key("kept"), obj("kept"))
    with no_file_grows_beyond(file.with_name(file.name + "-wal").stat().st_size + 100_000):
        big = [store.create(key(f"big{i}"), obj(f"big{i}", pad="x" * 5_000)) for i in range(600)]
        small = [store.create(key(f"small{i}"), obj(f"small{i}")) for i in range(20)]
        results = await asyncio.gather(*big, *small, return_exceptions=True)
    assert all(isinstance(result, StoreFailed) for result in results[-20:])
    succeeded = sum(not isinstance(result, BaseException) for result in results)
    assert store.revision == 1 + succeeded == len(store.list("pods").records)
    assert (await store.create(key("later"), obj("later"))).revision == store.revision
    await store.close()


async def test_a_removed_file_is_noticed(file: Path) -> None:
    store = await SQLiteStore.open(file)
    await store.create(key("a"), obj("a"))
    file.unlink()
    with pytest.raises(StoreFailed, match="removed or replaced"):
        await store.create(key("b"), obj("b"))
    assert store.get(key("a"))
    await store.close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(file: Path) -> None:
    file.write_bytes(b"something else entirely, and long enough to be looked at as a database header")
    before = file.read_bytes()
    with pytest.raises(StoreFailed, match="cannot open the database"):
        await SQLiteStore.open(file)
    assert file.read_bytes() == before


async def test_a_file_of_another_format_is_refused_by_name(file: Path) -> None:
    await (await SQLiteStore.open(file)).close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreFailed, match="format 99"):
        await SQLiteStore.open(file)


async def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="cannot write to"):
        await SQLiteStore.open(tmp_path / "missing" / "objects.db")


# A writer that says what was acknowledged, and is killed while it works.
WRITER = """
import asyncio, sys
from pathlib import Path
from fairway.cluster.store.protocol import Key
from fairway.cluster.store.sqlite import SQLiteStore

async def write(store, worker):
    count = 0
    while True:
        key = Key("pods", "one", f"w{worker}")
        found = store.get(key)
        content = {"metadata": {"name": key.name}, "spec": {"count": count, "pad": "x" * 1000}}
        record = await (store.update(key, content, found.revision) if found else store.create(key, content))
        sys.stdout.write(f"{key.name} {count} {record.revision}\\n")
        sys.stdout.flush()
        count += 1

async def main():
    store = await SQLiteStore.open(Path(sys.argv[1]))
    await asyncio.gather(*(write(store, worker) for worker in range(8)))

asyncio.run(main())
"""


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(file: Path) -> None:
    randomness = random.Random(7)
    newest = 0
    for _ in range(5):
        acknowledged = killed_after(file, randomness.randrange(1, 1_500))
        store = await SQLiteStore.open(file)
        for name, (count, revision) in acknowledged.items():
            record = store.get(key(name))
            assert record is not None
            # The last write of each worker may be stored and not yet told.
            assert record.object["spec"]["count"] in (count, count + 1)
            assert record.revision >= revision
        assert store.revision >= max(revision for _, revision in acknowledged.values()) > newest
        newest = store.revision
        await store.close()


def killed_after(file: Path, lines: int) -> dict[str, tuple[int, int]]:
    """What a writer acknowledged, by name, until it was killed after some lines."""
    acknowledged: dict[str, tuple[int, int]] = {}
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        for number, line in enumerate(writer.stdout):
            if not line.endswith("\n"):
                break
            name, count, revision = line.split()
            acknowledged[name] = (int(count), int(revision))
            if number == lines:
                writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    return acknowledged


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """A full disk, as this process sees it. Python ignores the signal that comes with the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
