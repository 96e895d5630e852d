"""Rows that may be there already: an INSERT that says what becomes of those.

Both databases can do it, each by a class of its dialect. PostgreSQL's is loaded where there is such a database: with
its drivers it is a tenth of all that a start loads.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert(connection: Connection, table: Table) -> sqlite.Insert:
    """In the dialect of the connection; PostgreSQL's has the same methods."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 (an extra, as its driver is)

    return cast(sqlite.Insert, postgresql.insert(table))
