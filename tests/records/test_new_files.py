"""A new file of records takes no steps: what it gets is what the steps would have made of it."""

import runpy
import sqlite3
import subprocess
import sys
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from fairway.records import migrating, upgrading
from fairway.records.engines import open_engine

_TABLE = (
    "CREATE TABLE alembic_version (\n\tversion_num VARCHAR(32) NOT NULL, "
    "\n\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
)


def dump(path: Path) -> list[str]:
    """All statements that would make the file anew, but for the numbers given so far."""
    database = sqlite3.connect(path)
    try:
        return [line for line in database.iterdump() if "sqlite_sequence" not in line]
    finally:
        database.close()


def test_a_new_file_is_what_all_steps_make_of_an_empty_one(tmp_path: Path) -> None:
    migrating.migrate(f"sqlite:///{tmp_path / 'new.db'}")
    engine = open_engine(f"sqlite:///{tmp_path / 'stepped.db'}", connections=1, writes=True)
    with engine.begin() as connection:
        upgrading.upgrade(connection)
    engine.dispose()
    assert dump(tmp_path / "new.db") == dump(tmp_path / "stepped.db"), "run python tools/generate_records.py"


def test_a_file_of_an_older_revision_takes_the_steps_that_it_lacks(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}", connections=1, writes=True)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            runpy.run_path(str(migrating.SCRIPTS / "versions" / "0001_pipelines.py"))["upgrade"]()
        connection.exec_driver_sql(_TABLE)
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")
    engine.dispose()
    migrating.migrate(f"sqlite:///{tmp_path / 'old.db'}")
    migrating.migrate(f"sqlite:///{tmp_path / 'new.db'}")
    assert sorted(dump(tmp_path / "old.db")) == sorted(dump(tmp_path / "new.db"))


def test_neither_a_new_file_nor_the_newest_loads_alembic(tmp_path: Path) -> None:
    script = (
        "import sys; from fairway.records import migrating\n"
        "for _ in range(2): migrating.migrate(sys.argv[1])\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'alembic'))"
    )
    url = f"sqlite:///{tmp_path / 'records.db'}"
    loaded = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True).stdout
    assert not loaded.split()
