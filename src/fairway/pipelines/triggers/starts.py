"""From events that wait to runs: of each trigger in their order, and never more at once than it allows.

A run has the id of its event, so that it starts once, whoever tries, and however often. What is started is always the
first event of those that wait, as it was read together with the number of runs that go on: two servers that do this at
the same time start the same run, and not one too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from fairway.kernel.objects import errors
from fairway.pipelines.api import creating, messages
from fairway.pipelines.api.answers import moment
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.starting import NOT_OVER
from fairway.pipelines.tables import runs
from fairway.pipelines.triggers import sources
from fairway.pipelines.triggers.tables import events, triggers


class _Closed(Exception):
    """The trigger was disabled or deleted since it was read: its events wait, or went with it."""


@dataclass(frozen=True)
class _Due:
    trigger: Mapping[str, Any]
    event: Mapping[str, Any]


async def first(context: Context, trigger_id: str) -> bool:
    """Start the event that waits longest; False where none waits, or there is no room. Raises OSError."""
    due = await context.records.read(lambda connection: _due(connection, trigger_id))
    if due is not None:
        await _start(context, due)
    return due is not None


def waiting(connection: Connection) -> list[str]:
    """The enabled triggers for which events wait."""
    query = select(events.c.trigger_id).join(triggers, triggers.c.id == events.c.trigger_id)
    return list(connection.execute(query.where(events.c.state == "WAITING", triggers.c.enabled).distinct()).scalars())


def _due(connection: Connection, trigger_id: str) -> _Due | None:
    trigger = connection.execute(select(triggers).where(triggers.c.id == trigger_id)).mappings().first()
    if trigger is None or not trigger["enabled"]:
        return None
    query = select(events).where(events.c.trigger_id == trigger_id, events.c.state == "WAITING")
    event = connection.execute(query.order_by(events.c.number).limit(1)).mappings().first()
    if event is None:
        return None
    begun = connection.execute(select(runs.c.id).where(runs.c.id == event["id"])).first() is not None
    if not begun and going(connection).get(trigger_id, 0) >= trigger["max_concurrency"]:
        return None
    return _Due(dict(trigger), dict(event))


def going(connection: Connection) -> dict[str, int]:
    """How many runs of each trigger are not over. Of all at once: those are few, and the runs of a trigger are many."""
    query = select(runs.c.trigger_id, func.count()).where(runs.c.state.in_(NOT_OVER), runs.c.trigger_id > "")
    counted = connection.execute(query.group_by(runs.c.trigger_id))
    return {row[0]: row[1] for row in counted}


async def _start(context: Context, due: _Due) -> None:
    trigger, event = due.trigger, due.event
    facts = {**event["facts"], "time": moment(event["created_at"])}
    wanted = creating.Start(
        id=event["id"],
        display_name=_named(trigger["display_name"], event["created_at"]),
        scheduled_at=event["created_at"],
        from_={"trigger_id": trigger["id"]},
        parameters={**sources.filled(trigger["parameters"], facts), **event["parameters"]},
    )
    state, why = "STARTED", ""
    try:
        await creating.start(context, trigger, wanted, lambda connection: _claim(connection, trigger["id"]))
    except _Closed:
        return
    except errors.ApiError as refused:
        if refused.code >= 500:
            raise
        state, why = "FAILED", refused.message
    now = context.clock.now()

    def mark(connection: Connection) -> None:
        of_it = (events.c.id == event["id"]) & (events.c.state == "WAITING")
        if connection.execute(events.update().where(of_it).values(state=state, error_message=why)).rowcount:
            told = {"error_message": why} if why else {"error_message": "", "fired_at": now}
            connection.execute(triggers.update().where(triggers.c.id == trigger["id"]).values(**told))

    await context.records.write(mark)


def _claim(connection: Connection, trigger_id: str) -> None:
    """Nothing starts once somebody has been told that the trigger is disabled or gone: whoever disables it waits."""
    enabled = (triggers.c.id == trigger_id) & triggers.c.enabled
    if not connection.execute(triggers.update().where(enabled).values(enabled=True)).rowcount:
        raise _Closed


def _named(trigger: str, at: float) -> str:
    when = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H-%M-%S}"
    return f"{trigger[: messages.NAME_LIMIT - len(when) - 1]} {when}"
