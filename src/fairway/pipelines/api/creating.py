"""A new run: from a template to its record, now from a request, or later from what was kept of one.

Everything that can be wrong with it is said here, at once. `starting` gives the record its Run object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.pipelines import macros
from fairway.pipelines.api import arguments, messages, templates
from fairway.pipelines.api.context import Context, changed, new_id, row
from fairway.pipelines.tables import experiments, run_states, runs


@dataclass(frozen=True)
class Start:
    """What a run that something else starts is to be. The id is made of what starts it, so that it starts once.

    `from_` holds the columns that say so: recurring_run_id, trigger_id, source_run_id. `late_at` is 0 for never.
    """

    id: str
    display_name: str
    scheduled_at: float
    from_: Mapping[str, str]
    parameters: Mapping[str, Any] | None = None
    """Instead of the template's own."""
    late_at: float = 0.0
    description: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    also: Callable[[Connection], None] | None = None
    """What is written together with the run."""
    index: int = 0
    """The number of the run among those of its schedule; 0 where it has none."""


Claim = Callable[[Connection], None]
"""What a start does first, in the transaction that writes the run; where it raises, nothing happens."""


async def create(context: Context, fields: Mapping[str, Any], caller: Identity) -> str:
    """Write the record of a new run and give its id. Raises BadRequest, NotFound and Forbidden."""
    template = await templates.read(context, fields)
    id_, now = new_id(), context.clock.now()
    own = {
        "id": id_,
        "display_name": messages.text(fields, "display_name", limit=messages.RUN_NAME_LIMIT)
        or _named(template.pipeline.name, now),
        "description": messages.text(fields, "description"),
        "pipeline_name": template.pipeline.name,
        "parameters": _final(template.parameters, macros.Facts(id_, now, now)),
        "scheduled_at": now,
        "external": messages.boolean(fields, "external"),
    }

    def write(connection: Connection) -> str:
        _insert(connection, {**templates.values(connection, template, caller, now, later=False), **own}, now)
        return id_

    return await context.records.write(write)


async def start(context: Context, kept: Mapping[str, Any], wanted: Start, claim: Claim | None = None) -> bool:
    """Start a run of a kept template, a row with the columns of `tables.templates`.

    False where it has been started before; what is claimed stays claimed. Raises BadRequest where the parameters do not
    fit the newest version, NotFound where there is none, and what the claim raises.
    """
    documents, version, digest = await context.records.read(lambda connection: templates.documents(connection, kept))
    pipeline = await asyncio.to_thread(documents.load)
    given = kept["parameters"] if wanted.parameters is None else wanted.parameters
    now = context.clock.now()
    final = _final(given, macros.Facts(wanted.id, now, wanted.scheduled_at, wanted.index))
    values = {
        **{name: kept[name] for name in templates.COLUMNS},
        "pipeline_version_id": version,
        "spec_digest": digest,
        "parameters": arguments.checked(pipeline, final),
        "id": wanted.id,
        "display_name": wanted.display_name[: messages.RUN_NAME_LIMIT] or _named(pipeline.name, now),
        "description": wanted.description,
        "pipeline_name": pipeline.name,
        "scheduled_at": wanted.scheduled_at,
        "late_at": wanted.late_at,
        "overrides": dict(wanted.overrides),
        **wanted.from_,
    }

    def write(connection: Connection) -> bool:
        if claim is not None:
            claim(connection)
        if row(connection, runs, wanted.id) is not None:
            return False
        _insert(connection, values, now)
        if wanted.also is not None:
            wanted.also(connection)
        return True

    try:
        started = await context.records.write(write)
    except IntegrityError:
        return False  # another server was faster
    if started:
        context.wake.set()
    return started


def _final(parameters: Mapping[str, Any], facts: macros.Facts) -> dict[str, Any]:
    try:
        return dict(macros.expanded(parameters, facts))
    except macros.NoSchedule as wrong:
        raise errors.BadRequest(f"runtime_config.parameters: {wrong}") from wrong


def _insert(connection: Connection, values: Mapping[str, Any], now: float) -> None:
    state = {"storage_state": "AVAILABLE", "state": "PENDING", "created_at": now, "outputs": {}}
    connection.execute(runs.insert().values(**state, **values))
    connection.execute(run_states.insert().values(run_id=values["id"], state="PENDING", at=now))
    changed(connection, experiments, values["experiment_id"], last_run_created_at=now)


def _named(pipeline: str, now: float) -> str:
    return f"{pipeline} {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H-%M-%S}"
