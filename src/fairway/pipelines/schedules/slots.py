"""Slots: the moments at which a schedule starts a run, and which of them are due. Pure, in whole seconds.

A schedule remembers one moment, its cursor: slots up to there were started or given up. So a clock that is set back
starts nothing again, and one that jumped ahead, or a server that was away, leaves slots that were missed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from itertools import islice, takewhile
from typing import Any, Protocol

from sqlalchemy import RowMapping

from fairway.kernel import cron

Row = RowMapping | Mapping[str, Any]


class Trigger(Protocol):
    def after(self, moment: float) -> float | None:
        """The first moment after this one; None where there is none."""
        ...


@dataclass(frozen=True)
class Every:
    """A grid without beginning or end."""

    seconds: int
    anchor: float

    def after(self, moment: float) -> float | None:
        return self.anchor + (math.floor((moment - self.anchor) / self.seconds) + 1) * self.seconds


@dataclass(frozen=True)
class Once:
    """A recurring run without a trigger, which upstream runs a single time."""

    at: float

    def after(self, moment: float) -> float | None:
        return self.at if self.at > moment else None


@dataclass(frozen=True)
class Schedule:
    """`end` is the last moment at which a slot may be."""

    trigger: Trigger
    cursor: float
    end: float | None = None
    max_concurrency: int = 1
    no_catchup: bool = False
    zone: tzinfo = UTC
    """The one that its runs are named in."""

    def after(self, moment: float) -> float | None:
        found = self.trigger.after(moment)
        return None if found is None or (self.end is not None and found > self.end) else found

    def following(self, moment: float) -> Iterator[float]:
        while (found := self.after(moment)) is not None:
            yield found
            moment = found

    @property
    def next(self) -> float | None:
        """The first slot that is not settled: due when its time has come."""
        return self.after(self.cursor)


@dataclass(frozen=True)
class Due:
    """The slots to start now, and the cursor once they are."""

    starts: tuple[float, ...]
    cursor: float


def of_row(row: Row, default: tzinfo) -> Schedule:
    """The schedule that a row of `recurring_runs` describes. `default` is the zone of those that name none."""
    zone = zone_of(row["time_zone"], default)
    found = trigger(row, zone)
    return Schedule(
        trigger=found,
        cursor=row["cursor"],
        end=row["end_at"],
        max_concurrency=row["max_concurrency"],
        no_catchup=row["no_catchup"],
        zone=found.zone if isinstance(found, cron.Cron) else zone,
    )


def trigger(row: Row, zone: tzinfo) -> Trigger:
    """Raises WrongCron."""
    if seconds := cron.every(row["cron"]) or row["interval_seconds"]:
        return Every(seconds, float(math.floor(row["counts_from"] if row["start_at"] is None else row["start_at"])))
    return cron.Cron(row["cron"], zone) if row["cron"] else Once(row["counts_from"] + 1)


def zone_of(name: str, default: tzinfo) -> tzinfo:
    return cron.zone(name) if name else default


def due(schedule: Schedule, active: int, now: float) -> Due:
    """What to start with so many runs of the schedule still going on.

    Each missed slot in turn; without catch-up only the last one, which for an interval is now, as upstream has it.
    """
    free, first = schedule.max_concurrency - active, schedule.next
    if free <= 0 or first is None or first > now:
        return Due((), schedule.cursor)
    if not schedule.no_catchup:
        starts = tuple(takewhile(lambda slot: slot <= now, islice(schedule.following(schedule.cursor), free)))
        return Due(starts, starts[-1])
    last = latest(schedule, schedule.cursor, now)
    if isinstance(schedule.trigger, Every) and last != first:
        last = float(math.floor(now if schedule.end is None else min(now, schedule.end)))
    return Due((last,), last)


def latest(schedule: Schedule, after: float, until: float) -> float:
    """The last slot of a stretch of time that has one, found in a few steps however long it is."""
    back = 60.0
    while True:
        begin = max(after, until - back)
        found = max(takewhile(lambda slot: slot <= until, schedule.following(begin)), default=after)
        if found > after or begin == after:
            return found
        back *= 8


def between(schedule: Schedule, start: float, end: float) -> Iterator[float]:
    """The slots of a stretch of time, both ends included."""
    return takewhile(lambda slot: slot <= end, schedule.following(math.ceil(start) - 1))
