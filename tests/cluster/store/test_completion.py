"""What an earlier release stored is completed once, whole or not at all, and keeps its revisions."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.cluster.store.protocol import Completion, Key
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.kernel.objects.kinds import Object


def key(name: str, resource: str = "pods") -> Key:
    return Key(resource, "one", name)


def obj(name: str, **spec: object) -> Object:
    return {"metadata": {"name": name, "namespace": "one"}, "spec": spec}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "objects.db"


class Filling:
    """Gives all pods a colour, and counts them."""

    def __init__(self) -> None:
        self.seen = 0

    def completion(self, fingerprint: str) -> Completion:
        return Completion(fingerprint, frozenset({"pods"}), self._complete)

    def _complete(self, resource: str, obj: Object) -> None:
        self.seen += 1
        if obj["spec"].get("broken"):
            raise ValueError("it is broken")
        obj["spec"].setdefault("colour", "red")


async def written(file: Path, count: int = 3) -> None:
    """A file as the first releases wrote it."""
    store = await SQLiteStore.open(file)
    first = await store.create(key("a"), obj("a", size=1))
    await store.update(key("a"), obj("a", size=2), first.revision)
    gone = await store.create(key("b"), obj("b"))
    await store.delete(key("b"), gone.revision)
    await store.create(key("c", "services"), obj("c"))
    await asyncio.gather(*(store.create(key(f"n{i}"), obj(f"n{i}")) for i in range(count)))
    await store.close()


async def test_all_that_is_stored_is_completed_and_nothing_has_happened(file: Path) -> None:
    await written(file)
    filling = Filling()
    store = await SQLiteStore.open(file, completion=filling.completion("one"))
    assert (store.revision, store.compacted) == (8, 0)
    record = store.get(key("a"))
    assert record is not None
    assert (record.revision, record.object["spec"]) == (2, {"size": 2, "colour": "red"})
    assert b'"colour":"red"' in record.value
    assert [one.object["spec"] for one in store.list("pods", at=1).records] == [{"size": 1, "colour": "red"}]
    changes = store.changes(0)
    assert all(
        change.record.object["spec"]["colour"] == "red" for change in changes if change.record.key.resource == "pods"
    )
    assert changes[1].previous is not None
    assert changes[1].previous.object["spec"]["colour"] == "red"
    service = store.get(key("c", "services"))
    assert service is not None
    assert service.object["spec"] == {}
    await store.close()


async def test_it_happens_once_for_each_fingerprint(file: Path) -> None:
    await written(file)
    filling = Filling()
    for fingerprint, seen in (("one", 7), ("one", 7), ("two", 14), ("two", 14)):
        store = await SQLiteStore.open(file, completion=filling.completion(fingerprint))
        await store.close()
        assert filling.seen == seen
    store = await SQLiteStore.open(file)  # a Fairway that knows nothing of it reads the file
    assert store.get(key("a"))
    await store.close()


async def test_a_new_file_has_nothing_to_complete(file: Path) -> None:
    filling = Filling()
    for _ in range(2):
        store = await SQLiteStore.open(file, completion=filling.completion("one"))
        if store.revision == 0:
            await store.create(key("a"), obj("a"))
        await store.close()
    assert filling.seen == 0


async def test_what_cannot_be_completed_stays_and_stops_nobody(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = await SQLiteStore.open(file)
    await store.create(key("bad"), obj("bad", broken=True))
    await store.create(key("good"), obj("good"))
    await store.close()
    store = await SQLiteStore.open(file, completion=Filling().completion("one"))
    specs = [record.object["spec"] for record in store.list("pods").records]
    assert specs == [{"broken": True}, {"colour": "red"}]
    assert "pods bad stays as an earlier Fairway stored it: it is broken" in caplog.text
    await store.close()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from fairway.cluster.store.protocol import Completion
from fairway.cluster.store.sqlite import SQLiteStore

left = int(sys.argv[2])

def complete(resource, obj):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    obj["spec"]["colour"] = "blue"

asyncio.run(SQLiteStore.open(Path(sys.argv[1]), completion=Completion("one", frozenset({"pods"}), complete)))
"""


@pytest.mark.parametrize("after", [1, 1200])
async def test_a_kill_in_the_middle_leaves_everything_as_it_was(file: Path, after: int) -> None:
    await written(file, 1500)
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(file), str(after)], check=False, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    store = await SQLiteStore.open(file)
    assert not any("colour" in record.object["spec"] for record in store.list("pods").records)
    await store.close()
    store = await SQLiteStore.open(file, completion=Filling().completion("one"))
    assert all(record.object["spec"]["colour"] == "red" for record in store.list("pods").records)
    await store.close()
