"""The SQLite file under the store: a log of every change, and a table of where each object's newest entry is.

Both change in one transaction: one INSERT of all changes of a group, with a trigger that keeps the table. The
statement is one step of SQLite whatever the size of the group, so that the writer thread takes the interpreter
lock once for the group, not once for each row, while the event loop is busy. All methods block; `sqlite` calls
them from its writer thread.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from fairway.cluster.store.protocol import Change, Completion, Key, Record, StoreFailed

GROUP = 256
"""Changes in one transaction at most."""

_log = logging.getLogger(__name__)

_FORMAT = 1
_PAGE = 1000
_SCHEMA = """
BEGIN;
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    previous INTEGER,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE state (
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE compacted (revision INTEGER NOT NULL) STRICT;
INSERT INTO compacted VALUES (0);
CREATE TRIGGER kept AFTER INSERT ON log WHEN NOT new.deleted BEGIN
    INSERT OR REPLACE INTO state VALUES (new.resource, new.namespace, new.name, new.revision);
END;
CREATE TRIGGER gone AFTER INSERT ON log WHEN new.deleted BEGIN
    DELETE FROM state WHERE resource = new.resource AND namespace = new.namespace AND name = new.name;
END;
PRAGMA user_version = 1;
COMMIT;
"""
# Which completion all entries have gone through. A file of the first releases has no such table.
_COMPLETED = "CREATE TABLE IF NOT EXISTS completed (fingerprint TEXT NOT NULL) STRICT"
# An entry stays while it is an object's newest, or the content before a change that is still in history. So what
# goes is what the forgotten changes replaced, and the forgotten deletions themselves.
_TRIM = (
    """DELETE FROM log WHERE revision IN (
        SELECT previous FROM log, compacted WHERE log.revision > compacted.revision AND log.revision <= :before)""",
    """DELETE FROM log WHERE deleted AND revision <= :before AND revision > (SELECT revision FROM compacted)""",
    """UPDATE compacted SET revision = max(revision, :before)""",
)


@dataclass(frozen=True)
class Stored:
    """What a file held when it was opened."""

    records: list[Record]
    changes: list[Change]
    revision: int
    compacted: int


class Journal:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Secrets lie in it: nobody else may read it, nor the files that SQLite makes beside it in its likeness.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # an acknowledged write survives a power cut
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"cannot open the database {path}: {error}") from error
        self._files = {name: _identity(name) for name in (path, path.with_name(path.name + "-wal"))}

    def load(self) -> Stored:
        try:
            return self._load()
        except (sqlite3.Error, orjson.JSONDecodeError, KeyError) as error:
            raise StoreFailed(f"cannot read the database {self._path}: {error}") from error

    def complete(self, completion: Completion) -> None:
        """Put all entries through a completion that they have not gone through yet, all or none.

        They keep their revisions: nothing happened to the objects, they only say now what was always meant.
        """
        try:
            self._db.execute(_COMPLETED)
            if self._db.execute("SELECT fingerprint FROM completed").fetchall() == [(completion.fingerprint,)]:
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._complete_all(completion)
            self._db.execute("DELETE FROM completed")
            self._db.execute("INSERT INTO completed VALUES (?)", (completion.fingerprint,))
            self._db.execute("COMMIT")
        except (sqlite3.Error, orjson.JSONDecodeError) as error:
            self._undo()
            raise StoreFailed(f"cannot complete what an earlier Fairway wrote to {self._path}: {error}") from error

    def append(self, changes: Sequence[Change]) -> None:
        """Commit the changes, all or none."""
        self._check_files()
        values: list[object] = []
        for change in changes:
            key, before = change.record.key, change.previous
            deleted = change.type == "DELETED"
            previous = before.revision if before else None
            values += (change.revision, key.resource, key.namespace, key.name, deleted, previous, change.record.value)
        size = 1 << (len(changes) - 1).bit_length()
        values += (None,) * (7 * (size - len(changes)))
        try:
            self._db.execute(_insert(size), values)
        except sqlite3.Error as error:
            self._undo()
            raise StoreFailed(f"cannot write to {self._path}: {_why(error)}") from error

    def trim(self, before: int) -> None:
        """Forget entries up to `before` that neither the state nor the remaining history needs."""
        self._check_files()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _TRIM:
                self._db.execute(statement, {"before": before})
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise StoreFailed(f"cannot compact {self._path}: {error}") from error

    def close(self) -> None:
        self._db.close()

    def _prepare(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found == 0:
            self._db.executescript(_SCHEMA)
        elif found != _FORMAT:
            raise StoreFailed(
                f"the database {self._path} has format {found} and this Fairway reads format {_FORMAT}; "
                "use the Fairway that wrote it, or another data directory"
            )

    def _load(self) -> Stored:
        (compacted,) = self._db.execute("SELECT revision FROM compacted").fetchone()
        records: dict[int, Record] = {}
        changes: list[Change] = []
        revision = compacted
        entries = "SELECT revision, resource, namespace, name, deleted, previous, value FROM log ORDER BY revision"
        for revision_, resource, namespace, name, deleted, previous, value in self._db.execute(entries):
            record = Record(Key(resource, namespace, name), revision_, value, orjson.loads(value))
            records[revision_] = record
            revision = max(revision, revision_)
            if revision_ > compacted:
                type_ = "DELETED" if deleted else "ADDED" if previous is None else "MODIFIED"
                changes.append(Change(type_, record, None if previous is None else records[previous]))
        current = [records[newest] for (newest,) in self._db.execute("SELECT revision FROM state")]
        return Stored(current, changes, revision, compacted)

    def _complete_all(self, completion: Completion) -> None:
        entries = (
            "SELECT revision, resource, value FROM log WHERE revision > ? "
            "AND resource IN (SELECT value FROM json_each(?)) ORDER BY revision LIMIT ?"
        )
        concerned, last = orjson.dumps(sorted(completion.resources)).decode(), 0
        while page := self._db.execute(entries, (last, concerned, _PAGE)).fetchall():
            last = page[-1][0]
            for revision, resource, value in page:
                obj = orjson.loads(value)
                try:
                    completion.complete(resource, obj)
                except ValueError as problem:
                    name = (obj.get("metadata") or {}).get("name")
                    _log.warning("%s %s stays as an earlier Fairway stored it: %s", resource, name, problem)
                    continue
                if (full := orjson.dumps(obj)) != value:
                    self._db.execute("UPDATE log SET value = ? WHERE revision = ?", (full, revision))

    def _check_files(self) -> None:
        """SQLite would go on writing into a file that was deleted or replaced: an acknowledged write would be lost."""
        for name, identity in self._files.items():
            if _identity(name) != identity:
                raise StoreFailed(f"{name} was removed or replaced; stop the server, put it back, start again")

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.rollback()


def _why(error: sqlite3.Error) -> str:
    full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
    return "the disk is full; free some space and try again" if full else str(error)


def _insert(size: int) -> str:
    """One statement for a group of `size`; rows of NULL fill the group up, so that few sizes are ever prepared."""
    rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * size)
    return f"INSERT INTO log SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"  # noqa: S608 (no input in it)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
