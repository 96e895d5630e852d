"""The tables that rooms declare are the tables that the migrations make, on every dialect."""

import asyncio
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from fairway.pipelines.notices import tables as notices
from fairway.pipelines.schedules import tables as schedules
from fairway.pipelines.tables import METADATA
from fairway.pipelines.triggers import tables as triggers
from fairway.records.database import Database


def test_migrations_make_the_declared_tables(tmp_path: Path) -> None:
    assert {schedules.recurring_runs, triggers.triggers, notices.deliveries} <= set(METADATA.sorted_tables)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))

    async def compare() -> list[object]:
        records = await asyncio.to_thread(Database.open, f"sqlite:///{tmp_path}/records.db")
        try:
            return await records.read(differences)
        finally:
            await records.close()

    assert asyncio.run(compare()) == []
