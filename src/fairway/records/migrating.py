"""Bringing a database to the newest revision, inside one transaction: all of it happens, or nothing.

The scripts lie in `migrations/versions`, one linear history for all rooms. They spell out tables as they were at
their time and import no room, so that an old script means the same for ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from fairway.records.engines import open_engine
from fairway.records.failures import RecordsFailed

SCRIPTS = Path(__file__).parent / "migrations"

_LOCK = 0x666169727761
"""PostgreSQL's advisory lock, so that of several servers that start together one migrates and the others wait."""


def migrate(url: str) -> None:
    """Raises RecordsFailed where the database cannot be opened or is newer than this Fairway."""
    engine = open_engine(url, connections=1, writes=True)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _upgrade(connection)
    except CommandError as unknown:
        raise RecordsFailed(
            f"the records at {engine.url!r} were written by a newer Fairway; install that one, or use another database"
        ) from unknown
    except DBAPIError as failure:
        raise RecordsFailed(
            f"the records at {engine.url!r} cannot be opened: {failure.orig}; put a copy back, or use another database"
        ) from failure
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    scripts = ScriptDirectory(str(SCRIPTS))

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)  # what `alembic upgrade head` itself calls

    context = MigrationContext.configure(connection, opts={"fn": steps, "script": scripts, "destination_rev": "head"})
    with Operations.context(context):
        context.run_migrations()
