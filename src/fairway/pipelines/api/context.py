"""What every handler works with, and the few lookups that all of them share."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from fairway.artifacts.store import Artifacts
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE
from fairway.pipelines.api.messages import NAMESPACE_LIMIT
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.stores import Stores
from fairway.pipelines.waking import Bell, Ear
from fairway.records.database import Database

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Context:
    client: Client
    clock: Clock
    records: Database
    artifacts: Artifacts
    settings: PipelinesSettings = field(default_factory=PipelinesSettings)
    stores: Stores = field(default_factory=Stores)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a run's record and its Run object may differ (see `starting`)."""
    bell: Bell = field(default_factory=Bell)
    """Rung after each write to the records, which is what schedules, triggers and notices wait for."""
    removals: Ear = field(default_factory=Ear)
    """Rung when something was deleted whose bytes are to go (see `removing`)."""
    public_url: str = ""
    """Where people reach the dashboard; no slash at the end."""

    async def namespace(self, asked: str) -> str:
        """The namespace to use: the asked one where the cluster has it, else "default"."""
        if not asked or asked == DEFAULT_NAMESPACE:
            return DEFAULT_NAMESPACE
        if len(asked) > NAMESPACE_LIMIT or "/" in asked:
            raise errors.BadRequest(f"{asked!r} is not a namespace's name")
        return asked if await self.client.find(NAMESPACE, asked) else DEFAULT_NAMESPACE


def new_id() -> str:
    return str(uuid.uuid4())


def row(connection: Connection, table: Table, id_: str, *, held: bool = False) -> RowMapping | None:
    query = select(table).where(table.c.id == id_)
    found = connection.execute(query.with_for_update() if held else query).first()
    return found._mapping if found else None


def existing(connection: Connection, table: Table, id_: str, what: str, *, held: bool = False) -> RowMapping:
    """The row, or a sentence that says which one there is not: `what` is "run", "experiment", ... Nobody else changes a
    row that is held until the transaction is over."""
    found = row(connection, table, id_, held=held)
    if found is None:
        raise errors.NotFound(f'there is no {what} "{id_}"')
    return found


def changed(connection: Connection, table: Table, id_: str, **values: Any) -> None:
    connection.execute(table.update().where(table.c.id == id_).values(**values))
