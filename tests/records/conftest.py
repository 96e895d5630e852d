"""The records' addresses under test: a SQLite file always, PostgreSQL where a server is installed."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.ports import free_port


@pytest.fixture(params=["sqlite", "postgresql"])
def records_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    if not shutil.which("postgres") or not shutil.which("initdb"):
        pytest.skip("PostgreSQL is not installed here")
    if not find_spec("psycopg"):
        pytest.skip("psycopg is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="fairway-postgresql-"))
    user = None
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        user = "nobody"
        shutil.chown(folder, user)
    port = free_port()

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
    run("initdb", "-D", folder / "data", "-U", "fairway", "-A", "trust", "--no-sync")
    run("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://fairway@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """A new, empty database on the server."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(f"{postgresql_server}/postgres".replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    finally:
        engine.dispose()
    return f"{postgresql_server}/{name}"
