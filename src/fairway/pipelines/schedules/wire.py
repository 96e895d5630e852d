"""Recurring runs on the wire: a row as upstream's message, with what Fairway adds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any

from sqlalchemy import Connection, RowMapping

from fairway.kernel.cron import WrongCron
from fairway.pipelines.api import templates
from fairway.pipelines.api.answers import compact, moment
from fairway.pipelines.schedules import slots

NEXT_SLOTS = 5


def message(connection: Connection, found: RowMapping, default: tzinfo, now: float) -> dict[str, Any]:
    own = {
        "recurring_run_id": found["id"],
        "display_name": found["display_name"],
        "description": found["description"],
        "max_concurrency": str(found["max_concurrency"]),
        "trigger": trigger(found),
        "mode": "ENABLE" if found["enabled"] else "DISABLE",
        "created_at": moment(found["created_at"]),
        "updated_at": moment(found["updated_at"]),
        "status": "ENABLED" if found["enabled"] else "DISABLED",
        "error": {"code": 9, "message": found["error_message"], "details": []} if found["error_message"] else None,
        "no_catchup": found["no_catchup"],
        "namespace": found["namespace"],
        "created_by": found["created_by"],
        "late_after_seconds": found["late_after_seconds"],
        "next_slots": [moment(slot) for slot in _next(found, default, now)],
    }
    return {**compact(own), **templates.fields_of(connection, found)}


def trigger(found: RowMapping) -> dict[str, Any]:
    window = {
        "start_time": None if found["start_at"] is None else moment(found["start_at"]),
        "end_time": None if found["end_at"] is None else moment(found["end_at"]),
    }
    if found["cron"]:
        return {"cron_schedule": compact({**window, "cron": found["cron"], "time_zone": found["time_zone"]})}
    if found["interval_seconds"]:
        return {"periodic_schedule": compact({**window, "interval_second": str(found["interval_seconds"])})}
    return {}


def slot(at: float, run_id: str, state: str) -> dict[str, Any]:
    return compact({"scheduled_at": moment(at), "run_id": run_id, "state": state})


def _next(found: RowMapping, default: tzinfo, now: float) -> Sequence[float]:
    if not found["enabled"]:
        return ()
    try:
        schedule = slots.of_row(found, default)
    except WrongCron:  # a time zone that this machine does not know
        return ()
    return tuple(islice(schedule.following(max(schedule.cursor, now)), NEXT_SLOTS))
