"""A PostgreSQL of one benchmark's own, where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from bench.platform import free_port
from fairway.records.engines import open_engine


@contextmanager
def postgresql(folder: Path) -> Iterator[str | None]:
    """The address of an empty database in `folder`; None where there is no server to start."""
    if not shutil.which("postgres") or not shutil.which("initdb"):
        yield None
        return
    user, port, home = None, free_port(), folder / "postgresql"
    home.mkdir()
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        user = "nobody"
        shutil.chown(home, user)
        folder.chmod(0o755)

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, user=user, cwd=home, stdout=subprocess.DEVNULL)

    run("initdb", "-D", home / "data", "-U", "fairway", "-A", "trust", "--no-sync")
    run("pg_ctl", "-D", home / "data", "-w", "-l", home / "log", "-o", f"-h 127.0.0.1 -p {port} -k {home} -F", "start")
    try:
        yield f"postgresql://fairway@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", home / "data", "-m", "immediate", "stop")


def settle(url: str) -> None:
    """Do at once what PostgreSQL's autovacuum does in time: indexes answer alone, and sizes are known."""
    if not url.startswith("postgresql"):
        return
    engine = open_engine(url, connections=1, writes=True)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    finally:
        engine.dispose()
