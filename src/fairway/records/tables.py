"""How rooms declare their tables: with names of keys and constraints that migrations can rely on."""

from __future__ import annotations

from sqlalchemy import MetaData

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """An empty set of tables. One for each room, so that no room sees another's."""
    return MetaData(naming_convention=NAMING)
