"""The fields of a RecurringRun that are a schedule's own, from requests to columns. `api.templates` reads the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from fairway.kernel import cron
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.schedules import slots

MOST_AT_ONCE = 10
"""Upstream's limit of max_concurrency."""

_TEN_YEARS = 3660 * 86400


def trigger(fields: Mapping[str, Any], now: float, default: tzinfo, *, anew: bool = False) -> dict[str, Any]:
    """The columns of the field `trigger`, and from when it counts: `anew` from now. Raises BadRequest."""
    given = messages.part(fields.get("trigger"), "RecurringRunTrigger", "trigger")
    if len(given) > 1:
        raise errors.BadRequest("trigger: give either cron_schedule or periodic_schedule, not both")
    columns: dict[str, Any] = {"cron": "", "interval_seconds": 0, "time_zone": ""}
    schedule: dict[str, Any] = {}
    if "cron_schedule" in given:
        schedule = messages.part(given["cron_schedule"], "CronSchedule", "trigger.cron_schedule")
        columns["cron"] = messages.required_name(schedule, "cron", limit=cron.LONGEST).strip()
        columns["time_zone"] = messages.text(schedule, "time_zone", limit=64)
    elif "periodic_schedule" in given:
        schedule = messages.part(given["periodic_schedule"], "PeriodicSchedule", "trigger.periodic_schedule")
        columns["interval_seconds"] = messages.integer(schedule, "interval_second", default=0, least=1, most=_TEN_YEARS)
    columns |= _window(schedule, now, anew)
    _check(columns, default)
    return columns


def own(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the other fields that are given."""
    columns: dict[str, Any] = {}
    if "display_name" in fields:
        columns["display_name"] = messages.required_name(fields, "display_name")
    if "description" in fields:
        columns["description"] = messages.text(fields, "description")
    if "max_concurrency" in fields:
        columns["max_concurrency"] = messages.integer(fields, "max_concurrency", default=1, least=1, most=MOST_AT_ONCE)
    if "late_after_seconds" in fields:
        columns["late_after_seconds"] = messages.integer(
            fields, "late_after_seconds", default=0, least=0, most=_TEN_YEARS
        )
    if "no_catchup" in fields:
        if not isinstance(fields["no_catchup"], bool):
            raise errors.BadRequest("no_catchup must be true or false")
        columns["no_catchup"] = fields["no_catchup"]
    return columns


def _window(schedule: Mapping[str, Any], now: float, anew: bool) -> dict[str, Any]:
    """A start ahead may be a slot itself. One that is past stands for the last run, as upstream has it."""
    start, end = messages.instant(schedule, "start_time"), messages.instant(schedule, "end_time")
    if start is not None and end is not None and end < start:
        raise errors.BadRequest("trigger: end_time is before start_time")
    ahead = start is not None and start > now
    begin = float(math.floor(now if start is None or (anew and not ahead) else start))
    counts_from = begin - 1 if ahead or not schedule else begin
    return {"start_at": start, "end_at": end, "counts_from": counts_from, "cursor": counts_from}


def _check(columns: dict[str, Any], default: tzinfo) -> None:
    try:
        zone = slots.zone_of(columns["time_zone"], default)
        found = slots.trigger(columns, zone)
    except cron.WrongCron as wrong:
        raise errors.BadRequest(f"trigger: {wrong}") from wrong
    if found.after(columns["cursor"]) is None:
        raise errors.BadRequest(f"trigger: the cron expression {columns['cron']!r} never comes")
    if columns["time_zone"] and isinstance(found, cron.Cron) and found.zone != zone:
        raise errors.BadRequest("trigger: the cron expression names another time zone than time_zone")
