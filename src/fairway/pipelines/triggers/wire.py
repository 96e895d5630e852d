"""Triggers on the wire: their rows as messages, and the fields of a request that are a trigger's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from fairway.kernel.objects import errors
from fairway.pipelines.api.answers import compact, moment
from fairway.pipelines.api.versions import kept
from fairway.pipelines.triggers import sources
from fairway.pipelines.triggers.tables import events

MOST_AT_ONCE = 1000
TEMPLATE = ("experiment_id", "pipeline_spec", "pipeline_version_reference", "runtime_config", "service_account")
"""The fields that say what is run."""


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
    return {**compact(message), **template_fields(connection, found), field: found["source"]}


def template_fields(connection: Connection, found: RowMapping) -> dict[str, Any]:
    """The fields of a trigger that say what is run, as they were given."""
    fields: dict[str, Any] = compact(
        {"experiment_id": found["experiment_id"], "service_account": found["service_account"]}
    )
    config: dict[str, Any] = compact({"pipeline_root": found["pipeline_root"]})
    if found["parameters"]:
        config["parameters"] = found["parameters"]
    if config:
        fields["runtime_config"] = config
    if found["pipeline_id"]:
        reference = {"pipeline_id": found["pipeline_id"], "pipeline_version_id": found["pipeline_version_id"]}
        fields["pipeline_version_reference"] = compact(reference)
    else:
        fields["pipeline_spec"] = kept(connection, found["spec_digest"]).wire()
    return fields


def merged(whole: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is run, with the given fields in the place of the old; a package and a reference exclude each other."""
    given = {name: fields[name] for name in TEMPLATE if name in fields}
    replaced = {"pipeline_spec": "pipeline_version_reference", "pipeline_version_reference": "pipeline_spec"}
    return {**{name: value for name, value in whole.items() if replaced.get(name) not in given}, **given}


def max_concurrency(fields: Mapping[str, Any]) -> int:
    value = fields.get("max_concurrency", 1)
    try:
        number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else 0
    except ValueError:
        number = 0
    if not 1 <= number <= MOST_AT_ONCE:
        raise errors.BadRequest(f"max_concurrency must be a whole number from 1 to {MOST_AT_ONCE}, not {value!r}")
    return number
