"""Bringing a database to the newest revision, inside one transaction: all of it happens, or nothing.

Nearly every start finds the newest revision or, in a new folder, nothing at all: a new SQLite file gets all tables
from `migrations/newest.sql`, which is what the steps make of an empty file (`tools/generate_records.py`). Whatever
else is found goes through the steps, in `upgrading`.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from fairway.records.engines import open_engine
from fairway.records.failures import NewerRecords, RecordsFailed

SCRIPTS = Path(__file__).parent / "migrations"
NEWEST = SCRIPTS / "newest.sql"

_LOCK = 0x666169727761
"""PostgreSQL's advisory lock, so that of several servers that start together one migrates and the others wait."""


def migrate(url: str) -> None:
    """Raises RecordsFailed where the database cannot be opened or is newer than this Fairway."""
    engine = open_engine(url, connections=1, writes=True)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _bring(connection)
    except NewerRecords as unknown:
        raise RecordsFailed(
            f"the records at {engine.url!r} were written by a newer Fairway; install that one, or use another database"
        ) from unknown
    except DBAPIError as failure:
        raise RecordsFailed(
            f"the records at {engine.url!r} cannot be opened: {failure.orig}; put a copy back, or use another database"
        ) from failure
    finally:
        engine.dispose()


def _bring(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if not tables and connection.dialect.name == "sqlite":
        for statement in NEWEST.read_text().split("\n\n"):
            connection.exec_driver_sql(statement)
    elif "alembic_version" not in tables or _revision(connection) != _newest():
        importlib.import_module("fairway.records.upgrading").upgrade(connection)


def _revision(connection: Connection) -> str | None:
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _newest() -> str:
    """The number that the newest script begins its name with."""
    return max(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))
