"""Triggers on the wire: their rows as messages, and the fields of a request that are a trigger's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from fairway.pipelines.api import messages, templates
from fairway.pipelines.api.answers import compact, moment
from fairway.pipelines.triggers import sources
from fairway.pipelines.triggers.tables import events

MOST_AT_ONCE = 1000


def message(connection: Connection, found: RowMapping) -> dict[str, Any]:
    of_it = (events.c.trigger_id == found["id"]) & (events.c.state == "WAITING")
    waiting = connection.execute(select(func.count()).select_from(events).where(of_it)).scalar_one()
    message = {
        "trigger_id": found["id"],
        "display_name": found["display_name"],
        "description": found["description"],
        "namespace": found["namespace"],
        "max_concurrency": str(found["max_concurrency"]),
        "mode": "ENABLE" if found["enabled"] else "DISABLE",
        "status": "ENABLED" if found["enabled"] else "DISABLED",
        "created_at": moment(found["created_at"]),
        "updated_at": moment(found["updated_at"]),
        "created_by": found["created_by"],
        "fired_at": moment(found["fired_at"]) if found["fired_at"] else None,
        "waiting": waiting,
        "error": {"code": 9, "message": found["error_message"], "details": []} if found["error_message"] else None,
    }
    field = next(name for name, kind in sources.FIELDS.items() if kind == found["kind"])
    return {**compact(message), **templates.fields_of(connection, found), field: found["source"]}


def max_concurrency(fields: Mapping[str, Any]) -> int:
    return messages.integer(fields, "max_concurrency", default=1, least=1, most=MOST_AT_ONCE)
