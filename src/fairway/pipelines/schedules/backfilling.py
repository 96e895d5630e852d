"""Backfills: runs for the slots of a past window that have none, so many at a time, whether the schedule is on or off.

A backfill is a row until its last run is over. It goes by its own limit, and its runs take no room of the schedule's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from fairway.kernel.objects import errors
from fairway.pipelines.api.context import Context, changed
from fairway.pipelines.schedules import calendar, finding, slots, starts
from fairway.pipelines.schedules.slots import Schedule
from fairway.pipelines.schedules.tables import backfills, recurring_runs
from fairway.pipelines.tables import runs


def missing(connection: Connection, row: RowMapping, default: tzinfo, start: float, end: float) -> list[float]:
    """The slots of a window that have no run, as the trigger has them now, whatever its own start and end.

    Raises BadRequest where there are too many, and WrongCron for a zone that this machine does not know.
    """
    found = calendar.bounded(slots.between(replace(slots.of_row(row, default), end=None), start, end))
    of_it = (runs.c.recurring_run_id == row["id"]) & runs.c.scheduled_at.between(start, end)
    there = set(connection.execute(select(runs.c.id).where(of_it)).scalars())
    return [slot for slot in found if starts.run_id(row["id"], slot) not in there]


async def advance(context: Context, open_: finding.Open, default: tzinfo) -> bool:
    """Start what there is room for; False where nothing was to be done."""
    backfill, row = open_.backfill, open_.row
    if backfill["cursor"] >= backfill["end_at"]:
        if not open_.active:
            await _end(context, backfill)
        return False
    room = backfill["max_concurrency"] - open_.active
    if room <= 0:
        return False
    try:
        return await _start(context, open_, replace(slots.of_row(row, default), end=None), room)
    except errors.ApiError as refused:
        if refused.code >= 500:
            raise
        await _end(context, backfill, f"the backfill was ended: {refused}")
        return True


async def _start(context: Context, open_: finding.Open, schedule: Schedule, room: int) -> bool:
    backfill, row = open_.backfill, open_.row
    try:
        for slot in slots.between(schedule, backfill["cursor"] + 1, backfill["end_at"]):
            if starts.run_id(row["id"], slot) in open_.there:
                continue
            if not room:
                return True
            row = await starts.backfilled(context, row, schedule, slot, backfill)
            backfill, room = {**backfill, "cursor": slot}, room - 1
    except starts.Overtaken:
        return False
    of_it = backfills.c.id == backfill["id"]
    done = backfills.update().where(of_it).values(cursor=backfill["end_at"])
    await context.records.write(lambda connection: connection.execute(done))
    return True


async def _end(context: Context, backfill: Mapping[str, Any], why: str = "") -> None:
    def end(connection: Connection) -> None:
        connection.execute(backfills.delete().where(backfills.c.id == backfill["id"]))
        if why:
            changed(connection, recurring_runs, backfill["recurring_run_id"], error_message=why)

    await context.records.write(end)
