"""The calendar of a schedule: its slots and runs in a stretch of time, past and to come. Reading only.

Slots that were missed are told from the trigger as it is now, so only since it is so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import tzinfo
from itertools import islice
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from fairway.kernel.objects import errors
from fairway.pipelines.schedules import slots, wire
from fairway.pipelines.schedules.tables import backfills
from fairway.pipelines.tables import runs

MOST = 10_000
"""Most slots that are told of, or backfilled, at once."""


def read(
    connection: Connection, row: RowMapping, default: tzinfo, start: float, end: float, now: float
) -> list[dict[str, Any]]:
    """The slots as messages, in their order. Raises BadRequest where there are too many, WrongCron for a lost zone."""
    schedule = slots.of_row(row, default)
    last = slots.latest(schedule, schedule.cursor, now)
    entries: dict[float, tuple[str, str]] = {}
    for at in bounded(slots.between(schedule, max(start, row["counts_from"] + 1), end)):
        entries[at] = "", _state(row, at, last, now)
    for backfill in connection.execute(select(backfills).where(backfills.c.recurring_run_id == row["id"])).mappings():
        begin = max(start, backfill["cursor"] + 1)
        for at in bounded(slots.between(replace(schedule, end=None), begin, min(end, backfill["end_at"]))):
            entries[at] = "", "DUE"
    of_it = (runs.c.recurring_run_id == row["id"]) & runs.c.scheduled_at.between(start, end)
    for run in connection.execute(select(runs.c.id, runs.c.scheduled_at, runs.c.state).where(of_it).limit(MOST + 1)):
        entries[run.scheduled_at] = run.id, run.state
    return [wire.slot(at, *entries[at]) for at in bounded(iter(sorted(entries))) if entries[at][1]]


def bounded(moments: Iterator[float]) -> list[float]:
    """All of them. Raises BadRequest where there are too many."""
    found = list(islice(moments, MOST + 1))
    if len(found) > MOST:
        raise errors.BadRequest(f"there are more than {MOST:,} slots in that time; choose a shorter one")
    return found


def _state(row: RowMapping, at: float, last: float, now: float) -> str:
    """Of a slot without a run. Nothing where there will be none, because the schedule is disabled."""
    if at <= row["cursor"]:
        return "MISSED"
    if not row["enabled"]:
        return "MISSED" if at <= now else ""
    if at > now:
        return "PLANNED"
    return "MISSED" if row["no_catchup"] and at < last else "DUE"
