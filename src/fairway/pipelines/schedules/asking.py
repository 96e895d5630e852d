"""What people ask of a schedule's slots: the calendar, runs for those of the past, and a run now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fairway.kernel import cron
from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer
from fairway.pipelines.api.context import Context, existing, new_id
from fairway.pipelines.api.runs import one
from fairway.pipelines.schedules import backfilling, calendar, fields, slots, starts, wire
from fairway.pipelines.schedules.api import owned
from fairway.pipelines.schedules.tables import backfills, recurring_runs

_A_WEEK = 7 * 86400.0
_TRIES = 10


class SlotRequests:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._zone = cron.zone(context.settings.cron_time_zone)

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/recurringruns/{id}"
        return (
            Route("GET", f"{one}/slots", self._slots),
            Route("POST", f"{one}:backfill", self._backfill),
            Route("POST", f"{one}:run", self._run),
        )

    async def _slots(self, request: web.Request) -> web.Response:
        """Of the week before and the week to come, where no time is given."""
        id_, now = request.match_info["id"], self._context.clock.now()
        start, end = _window(request.query, now - _A_WEEK, now + _A_WEEK)

        def read(connection: Connection) -> list[dict[str, Any]]:
            row = existing(connection, recurring_runs, id_, "recurring run")
            return calendar.read(connection, row, self._zone, start, end, now)

        return answer({"slots": await self._context.records.read(read)})

    async def _backfill(self, request: web.Request) -> web.Response:
        """Answers at once, with the runs that there will be."""
        id_, caller, now = request.match_info["id"], request[IDENTITY], self._context.clock.now()
        given = await messages.read(request, "BackfillRequest")
        if "start_time" not in given:
            raise errors.BadRequest("start_time is missing: from when on is there to be a run for each slot?")
        start, end = _window(given, now, now)
        if end > now:
            raise errors.BadRequest("end_time lies ahead, and a backfill is for what has been")
        own = fields.own({name: given[name] for name in ("max_concurrency",) if name in given})

        def write(connection: Connection) -> list[dict[str, Any]]:
            row = owned(connection, id_, caller)
            found = backfilling.missing(connection, row, self._zone, start, end)
            if found:
                values = {"max_concurrency": row["max_concurrency"], **own, "start_at": start, "end_at": end}
                by = {"created_by": caller.user[:255], "created_at": now}
                new = backfills.insert().values(id=new_id(), recurring_run_id=id_, cursor=start - 1, **values, **by)
                connection.execute(new)
            return [wire.slot(slot, starts.run_id(id_, slot), "DUE") for slot in found]

        due = await self._context.records.write(write)
        return answer({"slots": due})

    async def _run(self, request: web.Request) -> web.Response:
        """Whether or not the schedule is enabled, or has room. Given parameters take the place of the schedule's."""
        id_, caller = request.match_info["id"], request[IDENTITY]
        given = await messages.read(request, "RunNowRequest") if request.can_read_body else {}
        config = messages.part(given.get("runtime_config"), "RuntimeConfig", "runtime_config")
        if config.keys() - {"parameters"}:
            raise errors.BadRequest("runtime_config: only parameters can be given here")
        parameters = config.get("parameters", {})
        if not isinstance(parameters, Mapping):
            raise errors.BadRequest("runtime_config.parameters must be an object")
        run = await self._start(id_, caller, parameters)
        return answer(await self._context.records.read(lambda connection: one(connection, run)))

    async def _start(self, id_: str, caller: Identity, parameters: Mapping[str, Any]) -> str:
        for _ in range(_TRIES):
            row = dict(await self._context.records.read(lambda connection: owned(connection, id_, caller)))
            schedule = slots.of_row(row, self._zone)
            with suppress(starts.Overtaken):
                return await starts.now(self._context, row, schedule, {**row["parameters"], **parameters})
        raise errors.Conflict("the schedule starts runs at this very moment; try again")


def _window(given: Mapping[str, Any], start: float, end: float) -> tuple[float, float]:
    asked_start, asked_end = messages.instant(given, "start_time"), messages.instant(given, "end_time")
    start, end = start if asked_start is None else asked_start, end if asked_end is None else asked_end
    if end < start:
        raise errors.BadRequest("end_time is before start_time")
    return start, end
