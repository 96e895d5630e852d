"""Alembic's part: the steps from an older revision to the newest, inside the caller's transaction.

The scripts lie in `migrations/versions`, one linear history for all rooms. They spell out tables as they were at
their time and import no room, so that an old script means the same for ever. `migrating` loads this only where there
are steps to take: Alembic takes longer to load than a start may take for all records.
"""

from __future__ import annotations

from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from fairway.records.failures import NewerRecords
from fairway.records.migrating import SCRIPTS


def upgrade(connection: Connection) -> None:
    """Raises NewerRecords where the revision is none of ours."""
    scripts = ScriptDirectory(str(SCRIPTS))

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)  # what `alembic upgrade head` itself calls

    context = MigrationContext.configure(connection, opts={"fn": steps, "script": scripts, "destination_rev": "head"})
    try:
        with Operations.context(context):
            context.run_migrations()
    except CommandError as unknown:
        raise NewerRecords(str(unknown)) from unknown
