"""The loop of schedules: starts what is due, for schedules and for backfills, and notices runs that are late.

It sleeps until the next slot or the moment at which a run becomes late, and wakes when the bell rings (a run ended, a
schedule changed). A look asks the records only for schedules that are due and have room, so that those that wait cost
nothing, however many there are.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import tzinfo
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select

from fairway.kernel.cron import WrongCron, zone
from fairway.kernel.feature import Ready
from fairway.kernel.objects import errors
from fairway.pipelines import waking
from fairway.pipelines.api.context import Context
from fairway.pipelines.schedules import backfilling, finding, lateness, slots, starts
from fairway.pipelines.schedules.lateness import Lateness
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.waking import Rest

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.05
"""No two looks within this time, however busy it is."""

_SIDE_BY_SIDE = 16

Found = TypeVar("Found")


class Schedules:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._zone: tzinfo = zone(context.settings.cron_time_zone)
        self._ear = context.bell.ear()
        self._lateness = Lateness(context)
        self._refreshed = False
        self._failed = False  # at a single schedule, in the last look

    async def run(self, ready: Ready) -> None:
        ready()
        self._refreshed = False
        await waking.follow("schedules", self._turn, self._ear, self._context.clock, _PAUSE_SECONDS)

    async def _turn(self) -> Rest:
        if not self._refreshed:
            await self.refresh()
            self._refreshed = True
        until = await self.look()
        return waking.rest(self._context.records, until, failed=self._failed)

    async def refresh(self) -> None:
        """Where the time zone of the settings, or the law of one, was changed since, slots are at other moments."""
        stale = await self._context.records.read(lambda connection: _stale(connection, self._zone))
        for row, next_at in stale:
            await starts.look_again(self._context, row, next_at)

    async def look(self) -> float:
        """Once: start what is due and has room. Gives the moment at which something is due that is not yet."""
        records, self._failed = self._context.records, False
        looked_at = await self._start_all()
        while await self._each(await records.read(finding.open_backfills), self._backfill):
            continue
        await self._lateness.look()
        return await records.read(lambda connection: _next(connection, looked_at))

    async def _start_all(self) -> float:
        """Until nothing is due: gives the moment that this was true of."""
        while True:
            now = self._context.clock.now()
            found = await self._context.records.read(partial(finding.due, now=now))
            if not await self._each(found, self._start):
                return now

    async def _each(self, found: Sequence[Found], do: Callable[[Found], Awaitable[bool]]) -> bool:
        """Some at a time, and none is held up by another. True where something was done: there may be more."""
        room = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def one(each: Found) -> bool:
            async with room:
                try:
                    return await do(each)
                except (OSError, errors.ApiError):
                    raise
                except Exception:
                    log.exception("a schedule cannot be followed")
                    self._failed = True
                    return False

        results = await asyncio.gather(*(one(each) for each in found), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return True in results

    async def _start(self, due: finding.Due) -> bool:
        row, now = due.row, self._context.clock.now()
        try:
            schedule = slots.of_row(row, self._zone)
        except WrongCron as wrong:  # which was right when it was made: a time zone that this machine does not know
            await starts.look_again(self._context, row, None, str(wrong))
            return True
        found = slots.due(schedule, due.active, now)
        if not found.starts:
            await starts.look_again(self._context, row, schedule.next)
            return True
        for slot in found.starts:
            try:
                row = await starts.regular(self._context, row, schedule, slot)
            except starts.Overtaken:
                return False
            except errors.ApiError as refused:
                if refused.code >= 500:
                    raise
                await starts.give_up(self._context, row, replace(schedule, cursor=row["cursor"]), now, str(refused))
                return True
        return True

    async def _backfill(self, found: finding.Open) -> bool:
        return await backfilling.advance(self._context, found, self._zone)


def _next(connection: Connection, now: float) -> float:
    moments = (finding.next_at(connection, now), lateness.next_at(connection, now))
    return min((moment for moment in moments if moment is not None), default=math.inf)


def _stale(connection: Connection, default: tzinfo) -> list[tuple[starts.Row, float | None]]:
    """Enabled schedules whose next slot is not the one that was written, with that slot."""
    query = select(recurring_runs).where(recurring_runs.c.enabled, recurring_runs.c.cron != "")
    found: list[tuple[starts.Row, float | None]] = []
    for row in connection.execute(query).mappings():
        try:
            next_at = slots.of_row(row, default).next
        except WrongCron:
            continue
        if next_at != row["next_at"]:
            found.append((dict(row), next_at))
    return found
