"""What the records say is to be done: schedules that are due and have room, and backfills that are open. Reading only.

Runs that go on are few, and the runs of a schedule many: so those that go on are counted for all schedules at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, select

from fairway.pipelines.api.starting import NOT_OVER
from fairway.pipelines.schedules.tables import backfills, recurring_runs
from fairway.pipelines.tables import runs

AT_ONCE = 200
"""Most schedules that are looked at together."""

_GO_ON = runs.c.state.in_(NOT_OVER) & (runs.c.recurring_run_id > "")
_IN_WINDOW = (runs.c.recurring_run_id == backfills.c.recurring_run_id) & runs.c.scheduled_at.between(
    backfills.c.start_at, backfills.c.end_at
)


@dataclass(frozen=True)
class Due:
    """`active` runs of the schedule go on, those of its open backfills not counted."""

    row: Mapping[str, Any]
    active: int


@dataclass(frozen=True)
class Open:
    """A backfill that is not done. `active` runs in its window go on, and `there` are the ids of all that it has."""

    backfill: Mapping[str, Any]
    row: Mapping[str, Any]
    active: int
    there: frozenset[str]


def due(connection: Connection, now: float) -> list[Due]:
    """Schedules with a slot that has come, and with room for its run. Those that wait longest come first."""
    count = select(runs.c.recurring_run_id.label("id"), func.count().label("active"))
    active = count.where(_GO_ON, ~exists().where(_IN_WINDOW)).group_by(runs.c.recurring_run_id).subquery()
    busy = func.coalesce(active.c.active, 0)
    query = (
        select(recurring_runs, busy.label("active"))
        .outerjoin(active, active.c.id == recurring_runs.c.id)
        .where(recurring_runs.c.enabled, recurring_runs.c.next_at <= now, busy < recurring_runs.c.max_concurrency)
        .order_by(recurring_runs.c.next_at, recurring_runs.c.id)
        .limit(AT_ONCE)
    )
    return [Due(dict(row), row["active"]) for row in connection.execute(query).mappings()]


def next_at(connection: Connection, now: float) -> float | None:
    """When the next slot comes that has not come yet."""
    query = select(func.min(recurring_runs.c.next_at)).where(recurring_runs.c.enabled, recurring_runs.c.next_at > now)
    found: float | None = connection.execute(query).scalar_one()
    return found


def open_backfills(connection: Connection) -> list[Open]:
    found = connection.execute(select(backfills).order_by(backfills.c.created_at, backfills.c.id)).mappings().all()
    return [_opened(connection, dict(backfill)) for backfill in found]


def _opened(connection: Connection, backfill: Mapping[str, Any]) -> Open:
    of_it = recurring_runs.c.id == backfill["recurring_run_id"]
    row = connection.execute(select(recurring_runs).where(of_it)).mappings().one()
    window = runs.c.scheduled_at.between(backfill["start_at"], backfill["end_at"])
    query = select(runs.c.id, runs.c.state).where(runs.c.recurring_run_id == row["id"], window)
    states = {run["id"]: run["state"] for run in connection.execute(query).mappings()}
    return Open(backfill, dict(row), sum(state in NOT_OVER for state in states.values()), frozenset(states))
