"""Make records/migrations/newest.sql: the tables as all migrations together leave them in an empty SQLite file.

Run it by hand after a migration was added: python tools/generate_records.py. The result is committed, and a test
holds it against the migrations. A start in a new folder takes the tables from it, which is sixty times as fast.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from fairway.records import upgrading
from fairway.records.engines import open_engine
from fairway.records.migrating import NEWEST


def newest() -> str:
    """One statement after the other, with an empty line between them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.db"
        engine = open_engine(f"sqlite:///{path}", connections=1, writes=True)
        with engine.begin() as connection:
            upgrading.upgrade(connection)
        engine.dispose()
        return statements(path)


def statements(path: Path) -> str:
    """What would make the file anew. Tables and indices alone: no migration leaves rows in an empty file."""
    database = sqlite3.connect(path)
    made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    found = [statement for (statement,) in database.execute(made)]
    (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    database.close()
    return "\n\n".join([*found, f"INSERT INTO alembic_version VALUES ('{revision}')"]) + "\n"  # noqa: S608


if __name__ == "__main__":
    NEWEST.write_text(newest())
