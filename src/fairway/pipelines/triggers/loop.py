"""The loop of triggers: follows the records and looks at addresses, keeps what happened as events, starts their runs.

It looks when the bell rings, and when it is time for an address. Whatever fails is tried again; a trigger that cannot
be followed says why and does not hold up the others.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from fairway.kernel.feature import Ready
from fairway.kernel.objects import errors
from fairway.pipelines import waking
from fairway.pipelines.api.context import Context
from fairway.pipelines.triggers import finding, sources, starts
from fairway.pipelines.triggers.finding import Event, Found
from fairway.pipelines.triggers.places import Places
from fairway.pipelines.triggers.tables import events, triggers
from fairway.pipelines.waking import Rest

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25
"""No two looks within this time, however busy it is."""

KEPT_SECONDS = 30 * 24 * 3600.0
"""How long events are kept: as long, a repeated call of a webhook is known by its key."""

_FORGET_SECONDS = 3600.0


class Triggers:
    """`visits` holds when each address is looked at next; `changing` what was seen there once and not twice yet."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._places = Places(context.artifacts, context.settings.watched_paths)
        self._ear = context.bell.ear()
        self._visits: dict[str, float] = {}
        self._changing: dict[str, str] = {}
        self._complained: set[str] = set()
        self._forget_at = 0.0
        self._failed = False  # at a single trigger, in the last look

    async def run(self, ready: Ready) -> None:
        ready()
        await waking.follow("triggers", self._turn, self._ear, self._context.clock, _PAUSE_SECONDS)

    async def _turn(self) -> Rest:
        await self.look()
        until = min(self._visits.values(), default=math.inf)
        return waking.rest(self._context.records, until, failed=self._failed)

    async def look(self) -> None:
        """Once: see what happened, and start what there is room for, of each trigger in turn."""
        again, self._failed = True, False
        while again:
            more = await self._follow()
            again = await self._start() or more
        await self._forget()

    async def _start(self) -> bool:
        """One run of each trigger for which events wait and that has room. True where there was one."""
        started = False
        for trigger_id in await self._context.records.read(starts.waiting):
            try:
                started = await starts.first(self._context, trigger_id) or started
            except (OSError, errors.ApiError):
                raise
            except Exception:
                log.exception("the trigger %s cannot start its runs", trigger_id)
                self._failed = True
        return started

    async def _follow(self) -> bool:
        """One stretch of what happened; True where there is more."""
        records, now = self._context.records, self._context.clock.now()
        enabled = await records.read(_enabled)
        of_places = [trigger for trigger in enabled if trigger["source"].get("uri")]
        followers = [trigger for trigger in enabled if trigger["kind"] != sources.WEBHOOK and trigger not in of_places]
        await self._visit(of_places, now)
        found, more = await records.read(lambda connection: finding.look(connection, followers, now))
        if found:
            await records.write(lambda connection: finding.record(connection, found))
        return more

    async def _visit(self, of_places: Sequence[Mapping[str, Any]], now: float) -> None:
        known = {trigger["id"] for trigger in of_places}
        self._visits = {id_: self._visits[id_] for id_ in known & self._visits.keys()}
        self._changing = {id_: self._changing[id_] for id_ in known & self._changing.keys()}
        for trigger in of_places:
            every = trigger["source"]["every_seconds"]
            if not now < self._visits.get(trigger["id"], 0.0) <= now + every:  # nor after the clock was set back
                self._visits[trigger["id"]] = now + every
                await self._visit_one(trigger, now)

    async def _visit_one(self, trigger: Mapping[str, Any], now: float) -> None:
        """A change counts once two looks saw the same: what is being written does not count half."""
        id_, uri = trigger["id"], trigger["source"]["uri"]
        try:
            there = await self._places.look(uri)
        except (OSError, errors.ApiError) as failure:
            await self._tell(trigger, str(failure))
            return
        except Exception:
            log.exception("the trigger %s cannot look at its address", id_)
            self._failed = True
            return
        if id_ in self._complained:
            await self._tell(trigger, "")
        seen_before = self._changing.pop(id_, None)
        if there == trigger["cursor"]:
            return
        if there and seen_before != there:
            self._changing[id_] = there
            self._visits[id_] = now + min(sources.SHORTEST, trigger["source"]["every_seconds"])
            return
        event = Event(f"change of {uri} at {now}", now, {"artifact_uri": uri})
        found = Found(trigger, there, (event,) if there else ())
        await self._context.records.write(lambda connection: finding.record(connection, [found]))

    async def _tell(self, trigger: Mapping[str, Any], why: str) -> None:
        """Let the trigger say why its address cannot be looked at, and no longer once it can."""
        (self._complained.add if why else self._complained.discard)(trigger["id"])
        if trigger["error_message"] != why:
            told = triggers.update().where(triggers.c.id == trigger["id"]).values(error_message=why)
            await self._context.records.write(lambda connection: connection.execute(told))

    async def _forget(self) -> None:
        now = self._context.clock.now()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_SECONDS
            old = events.delete().where(events.c.state != "WAITING", events.c.created_at < now - KEPT_SECONDS)
            await self._context.records.write(lambda connection: connection.execute(old))


def _enabled(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(triggers).where(triggers.c.enabled)).mappings()]
