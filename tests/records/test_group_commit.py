"""What `Database` promises: order, isolation of failures, durability before the answer, one migration history."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from fairway.records.database import Database
from fairway.records.failures import RecordsFailed


@pytest.fixture
async def database(records_url: str) -> AsyncIterator[Database]:
    opened = await asyncio.to_thread(Database.open, records_url)
    try:
        await opened.write(lambda c: c.execute(text("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)")))
        yield opened
    finally:
        await opened.close()


def insert(number: int, body: str = "") -> "object":
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO notes VALUES (:id, :body)"), {"id": number, "body": body})
        return number

    return work


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM notes")).scalar_one())


async def test_many_writes_at_once_are_all_kept_and_each_gets_its_own_answer(database: Database) -> None:
    answers = await asyncio.gather(*(database.write(insert(number)) for number in range(600)))
    assert answers == list(range(600))
    assert await database.read(count) == 600


async def test_whoever_asked_is_told_of_each_write_that_came_to_something(records_url: str) -> None:
    told: list[str] = []
    database = await asyncio.to_thread(Database.open, records_url, written=lambda: told.append("written"))
    try:
        await database.write(lambda c: c.execute(text("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)")))
        await database.read(count)
        with pytest.raises(ValueError, match="on purpose"):
            await database.write(lambda _: int("on purpose"))
        assert told == ["written"]
        waiting = asyncio.ensure_future(database.write(insert(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await database.write(insert(2))
        assert told == ["written"] * 3
    finally:
        await database.close()


async def test_a_write_that_fails_undoes_only_itself(database: Database) -> None:
    def half(connection: Connection) -> None:
        insert(500)(connection)
        raise ValueError("on purpose")

    results = await asyncio.gather(
        database.write(insert(1)),
        database.write(insert(1)),
        database.write(half),
        database.write(insert(2)),
        return_exceptions=True,
    )
    assert results[0] == 1 and results[3] == 2
    assert isinstance(results[1], IntegrityError)
    assert isinstance(results[2], ValueError)
    assert await database.read(count) == 2


async def test_a_read_sees_what_was_acknowledged_before_it(database: Database) -> None:
    for number in range(20):
        await database.write(insert(number))
        assert await database.read(count) == number + 1


async def test_a_read_sees_one_state_however_much_it_asks(database: Database) -> None:
    begun, written = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        first = count(connection)
        begun.set()
        assert written.wait(60)
        return first, count(connection)

    reading = asyncio.ensure_future(database.read(twice))
    assert await asyncio.to_thread(begun.wait, 60)
    await database.write(insert(1))
    written.set()
    assert await reading == (0, 0)


async def test_a_read_cannot_write_on_sqlite(database: Database) -> None:
    if not database.url.startswith("sqlite"):
        pytest.skip("PostgreSQL's readers are undone by their rollback instead")
    with pytest.raises(RecordsFailed, match="readonly"):
        await database.read(insert(1))


async def test_close_finishes_what_was_accepted_and_refuses_the_rest(records_url: str) -> None:
    database = await asyncio.to_thread(Database.open, records_url)
    await database.write(lambda c: c.execute(text("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)")))
    writes = [asyncio.ensure_future(database.write(insert(number))) for number in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == list(range(50))
    with pytest.raises(RecordsFailed, match="closed"):
        await database.write(insert(51))


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    script = """
import asyncio, os, sys
from sqlalchemy import text
from fairway.records.database import Database
async def main():
    database = Database.open(sys.argv[1])
    await database.write(lambda c: c.execute(text("CREATE TABLE notes (id INTEGER)")))
    async def one(number):
        await database.write(lambda c: c.execute(text("INSERT INTO notes VALUES (:n)"), {"n": number}))
        os.write(1, b"%d\\n" % number)
        if number == 150:
            os.kill(os.getpid(), 9)
    await asyncio.gather(*(one(number) for number in range(300)))
asyncio.run(main())
"""
    path = tmp_path / "records.db"
    ended = subprocess.run([sys.executable, "-c", script, f"sqlite:///{path}"], capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    acknowledged = {int(line) for line in ended.stdout.split()}
    with sqlite3.connect(path) as found:
        kept = {row[0] for row in found.execute("SELECT id FROM notes")}
    found.close()
    assert acknowledged
    assert acknowledged <= kept


def test_opening_twice_migrates_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'records.db'}"
    for _ in range(2):
        asyncio.run(Database.open(url).close())


def test_records_of_a_newer_fairway_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    with pytest.raises(RecordsFailed, match="newer Fairway"):
        Database.open(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_left_alone_and_named(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.write_text("something else, longer than the header of a database" * 4)
    with pytest.raises(RecordsFailed, match="not a database; put a copy back"):
        Database.open(f"sqlite:///{path}")
    assert path.read_text().startswith("something else")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "need a file"),
        ("mysql://somewhere/db", "cannot be kept in mysql"),
        ("what is this", "not understood"),
        ("sqlite:////proc/nowhere/records.db", "cannot be made"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(RecordsFailed, match=sentence):
        Database.open(url)
