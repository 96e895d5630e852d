"""The loop of notices: sees what happened, keeps what is to be told, and sends it.

Each rule is sent for by a task of its own, so that a receiver that does not answer holds up nobody else. The loop looks
when the bell rings, and when something is to be tried again.
"""

from __future__ import annotations

import asyncio
import logging
import math

from fairway.kernel.feature import Ready
from fairway.kernel.objects import errors
from fairway.pipelines import waking
from fairway.pipelines.api.context import Context
from fairway.pipelines.notices import noticing, sending
from fairway.pipelines.notices.sending import Sender
from fairway.pipelines.notices.tables import deliveries
from fairway.pipelines.waking import LOOK_SECONDS, Rest

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25
"""No two looks within this time, however busy it is."""

MOST_AT_ONCE = 16
"""Rules that are sent for at a time."""

KEPT_SECONDS = 30 * 24 * 3600.0
"""How long one can look up what was told."""

_FORGET_SECONDS = 3600.0


class Notices:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._sender = Sender(context)
        self._ear = context.bell.ear()
        self._busy: set[str] = set()
        self._forget_at = 0.0

    async def run(self, ready: Ready) -> None:
        ready()
        try:
            async with asyncio.TaskGroup() as tasks:

                async def turn() -> Rest:
                    await self.look()
                    return waking.rest(self._context.records, await self._begin(tasks))

                await waking.follow("notices", turn, self._ear, self._context.clock, _PAUSE_SECONDS)
        finally:
            self._sender.letters.close()

    async def look(self) -> None:
        """Once: keep a delivery for whatever is to be told."""
        while await self._follow():
            continue
        await self._forget()

    async def deliver(self, rule_id: str) -> None:
        """What is due of this rule."""
        try:
            await self._sender.deliver(rule_id)
        except (OSError, errors.ApiError) as failure:
            log.warning("notices cannot be sent, trying again: %s", failure)
            await self._context.clock.sleep(LOOK_SECONDS)
        except Exception:
            log.exception("notices of the rule %s cannot be sent", rule_id)
            await self._context.clock.sleep(LOOK_SECONDS)
        finally:
            self._busy.discard(rule_id)
            self._ear.ring()  # for what came in the last moment, and for rules that waited for their turn

    async def _follow(self) -> bool:
        """One stretch of what happened; True where there is more."""
        records, now, url = self._context.records, self._context.clock.now(), self._context.public_url
        noticed, more = await records.read(lambda connection: noticing.look(connection, now, url))
        if noticed:
            await records.write(lambda connection: noticing.record(connection, noticed))
        return more

    async def _begin(self, tasks: asyncio.TaskGroup) -> float:
        """Send what is due. Gives the moment of the next try."""
        now = self._context.clock.now()
        due, next_at = await self._context.records.read(
            lambda connection: (sending.due(connection, now), sending.next_at(connection, now))
        )
        for rule_id in due:
            if rule_id not in self._busy and len(self._busy) < MOST_AT_ONCE:
                self._busy.add(rule_id)
                tasks.create_task(self.deliver(rule_id), name=f"notices-{rule_id}")
        return math.inf if next_at is None else next_at

    async def _forget(self) -> None:
        now = self._context.clock.now()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_SECONDS
            old = deliveries.delete().where(
                deliveries.c.state != "PENDING", deliveries.c.created_at < now - KEPT_SECONDS
            )
            await self._context.records.write(lambda connection: connection.execute(old))
