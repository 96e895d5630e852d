"""Opening SQLite and PostgreSQL so that the rest of the room sees no difference.

SQLite: write-ahead log, `synchronous=FULL` (an acknowledged commit survives power loss), transactions begun by
us and not by the driver, which would leave schema changes and savepoints outside of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from fairway.records.failures import RecordsFailed

SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "cache_size=-32768")


def open_engine(url: str, *, connections: int, writes: bool) -> Engine:
    """An engine with at most `connections` connections. Nothing is connected yet."""
    address = _address(url)
    options: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    if address.get_backend_name() == "sqlite":
        engine = create_engine(address, connect_args={"check_same_thread": False}, **options)
        _prepare_sqlite(engine, writes=writes)
        return engine
    if not writes:
        options["isolation_level"] = "REPEATABLE READ"  # one state for all that a read asks, as SQLite has it
    try:
        return create_engine(address, pool_pre_ping=True, **options)
    except ImportError as missing:
        raise RecordsFailed(
            f"the driver for {address.drivername} is not installed; run `pip install 'fairway[postgres]'`"
        ) from missing


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as wrong:
        raise RecordsFailed(f"the records URL is not understood: {wrong}") from wrong
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise RecordsFailed(f"records cannot be kept in {backend}; use a sqlite:/// or postgresql:// URL")
    if not address.database or address.database == ":memory:":
        raise RecordsFailed("records need a file; use a URL such as sqlite:////var/lib/fairway/records.db")
    folder = Path(address.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise RecordsFailed(
            f"the records folder {folder} cannot be made ({failure.strerror}); choose another"
        ) from failure
    return address


def _prepare_sqlite(engine: Engine, *, writes: bool) -> None:
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if not writes:
            connection.execute("PRAGMA query_only=ON")

    def begun(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once: a transaction that reads first cannot be refused later.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
