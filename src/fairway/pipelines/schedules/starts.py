"""From a slot to its run. What is settled about a schedule and the run are written together, or not at all.

Whoever starts a run has read the schedule before. The claim, which comes first in the transaction, holds only where
nobody has changed the schedule or started a run of it since: so two servers start no slot twice and no run too many,
and a server that dies at any moment leaves a slot started or not begun. Ids are made of schedule and slot besides.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from fairway.pipelines.api import creating
from fairway.pipelines.api.answers import Failed
from fairway.pipelines.api.context import Context, existing, new_id
from fairway.pipelines.schedules import slots
from fairway.pipelines.schedules.slots import Schedule
from fairway.pipelines.schedules.tables import backfills, recurring_runs
from fairway.pipelines.tables import experiments

Row = Mapping[str, Any]


class Overtaken(Exception):
    """Somebody else changed the schedule or started a run of it meanwhile: it is to be read again."""


def run_id(schedule_id: str, slot: float) -> str:
    return str(uuid.uuid5(uuid.UUID(schedule_id), f"{slot:.0f}"))


async def regular(context: Context, row: Row, schedule: Schedule, slot: float) -> Row:
    """Start the run of a slot, and give the row as it is then. Raises Overtaken, and ApiError where it cannot start."""
    settled = {**_numbered(row), "cursor": slot, "next_at": schedule.after(slot), "error_message": ""}
    start = _start(row, schedule, slot, run_id(row["id"], slot), late_after=row["late_after_seconds"])
    await creating.start(context, row, start, lambda connection: _settle(connection, row, settled))
    return {**row, **settled}


async def backfilled(context: Context, row: Row, schedule: Schedule, slot: float, backfill: Row) -> Row:
    """The same for a slot of a backfill, which is in nobody's eyes late."""

    def claim(connection: Connection) -> None:
        _settle(connection, row, _numbered(row))
        of_it = (backfills.c.id == backfill["id"]) & (backfills.c.cursor == backfill["cursor"])
        if not connection.execute(backfills.update().where(of_it).values(cursor=slot)).rowcount:
            raise Overtaken

    await creating.start(context, row, _start(row, schedule, slot, run_id(row["id"], slot)), claim)
    return {**row, **_numbered(row)}


async def now(context: Context, row: Row, schedule: Schedule, parameters: Row) -> str:
    """Start one that has no slot, and give its id."""
    at, id_ = context.clock.now(), new_id()
    start = _start(row, schedule, at, id_, late_after=row["late_after_seconds"], parameters=parameters)
    await creating.start(context, row, start, lambda connection: _settle(connection, row, _numbered(row)))
    return id_


async def give_up(context: Context, row: Row, schedule: Schedule, until: float, why: str) -> None:
    """Pass over the slots up to that moment, and say why. Nothing happens where somebody else was faster."""
    cursor = slots.latest(schedule, schedule.cursor, until)
    settled = {"cursor": cursor, "next_at": schedule.after(cursor), "error_message": why}
    await _try(context, lambda connection: _claim(connection, row, settled))


async def look_again(context: Context, row: Row, next_at: float | None, why: str = "") -> None:
    """Set when the loop is to look at the schedule next, and say what is wrong with it."""
    settled = {"next_at": next_at, "error_message": why or row["error_message"]}
    await _try(context, lambda connection: _claim(connection, row, settled))


def _start(
    row: Row,
    schedule: Schedule,
    at: float,
    id_: str,
    *,
    late_after: float = 0,
    parameters: Row | None = None,
) -> creating.Start:
    return creating.Start(
        id=id_,
        display_name=f"{row['display_name']}-{_when(schedule, at)}",
        scheduled_at=at,
        from_={"recurring_run_id": row["id"]},
        parameters=parameters,
        late_at=at + late_after if late_after else 0.0,
        index=row["started"] + 1,
    )


def _when(schedule: Schedule, at: float) -> str:
    """Readable in the schedule's own zone, and unlike any other moment's."""
    local = datetime.fromtimestamp(int(at), schedule.zone)
    return f"{local:%Y-%m-%dT%H-%M-%S}{'Z' if not local.utcoffset() else f'{local:%z}'}"


def _numbered(row: Row) -> dict[str, Any]:
    return {"started": row["started"] + 1}


def _settle(connection: Connection, row: Row, values: Mapping[str, Any]) -> None:
    """A claim on a run. Raises Overtaken; Failed and NotFound where the experiment takes no runs."""
    _claim(connection, row, values)
    experiment = existing(connection, experiments, row["experiment_id"], "experiment")
    if experiment["storage_state"] == "ARCHIVED":
        raise Failed(f'the experiment "{experiment["display_name"]}" is archived; unarchive it or choose another')


def _claim(connection: Connection, row: Row, values: Mapping[str, Any]) -> None:
    seen = [recurring_runs.c[name] == row[name] for name in ("id", "cursor", "started", "enabled", "updated_at")]
    if not connection.execute(recurring_runs.update().where(*seen).values(**values)).rowcount:
        raise Overtaken


async def _try(context: Context, claim: Callable[[Connection], None]) -> None:
    with suppress(Overtaken):
        await context.records.write(claim)
