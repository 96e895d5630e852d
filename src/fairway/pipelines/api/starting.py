"""Keeping objects in step with records: every run that is not over has its Run object, and it says `terminate`,
`paused`, `retries` and `asked` as the record does. Woken after each change, and at the start, when it makes up for what
a crash cut short. A run whose namespace is gone is over, since nobody else would end it, and what starts runs there is
disabled.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from fairway.kernel.feature import Ready
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE, Object
from fairway.pipelines import tasks, waking
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.experiments import default_experiment
from fairway.pipelines.kinds import RUN
from fairway.pipelines.schedules.tables import backfills, recurring_runs
from fairway.pipelines.tables import runs
from fairway.pipelines.triggers.tables import triggers

log = logging.getLogger(__name__)

AGAIN_AFTER = 5.0
NOT_OVER = ("PENDING", "RUNNING", "PAUSED", tasks.ENDING)
_READ = (
    runs.c.id,
    runs.c.display_name,
    runs.c.object_namespace,
    runs.c.state,
    runs.c.retries,
    runs.c.paused,
    runs.c.asked,
)


class Starting:
    """`settled` remembers what was made so, so that a new run costs one write and not a look at all others; `later`
    when one that could not be is tried again, so that it holds up nobody else."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settled: dict[str, Object] = {}
        self._later: dict[str, float] = {}

    async def run(self, ready: Ready) -> None:
        context = self._context
        now = context.clock.now()
        await context.records.write(lambda connection: default_experiment(connection, now))
        ready()
        while True:
            context.wake.clear()
            if await self._settle():
                await context.wake.wait()
            else:
                await waking.until_set(context.wake, context.clock, AGAIN_AFTER)

    async def _settle(self) -> bool:
        """Bring every object in step; False where some could not be."""
        try:
            found = await self._context.records.read(_not_over)
        except OSError as failure:
            log.warning("runs cannot be read, trying again: %s", failure)
            return False
        known = {row["id"] for row in found}
        self._settled = {id_: wanted for id_, wanted in self._settled.items() if id_ in known}
        self._later = {id_: at for id_, at in self._later.items() if id_ in known}
        settled, now = True, self._context.clock.now()
        for row in found:
            wanted: Object = {
                "terminate": row["state"] == tasks.ENDING or None,
                "paused": row["paused"] or None,
                "retries": row["retries"] or None,
                "asked": row["asked"] or None,
            }
            if self._settled.get(row["id"]) == wanted:
                continue
            if now < self._later.get(row["id"], now) <= now + AGAIN_AFTER:  # nor after the clock was set back
                settled = False
                continue
            try:
                await self._apply(row, wanted)
                self._settled[row["id"]] = wanted
                self._later.pop(row["id"], None)
            except (errors.ApiError, OSError) as failure:
                if isinstance(failure, errors.NotFound) and await self._ended(row):
                    continue
                log.warning("run %s cannot be started yet, trying again: %s", row["id"], failure)
                self._later[row["id"]] = now + AGAIN_AFTER
                settled = False
        return settled

    async def _ended(self, row: Mapping[str, Any]) -> bool:
        """Whether there is no namespace any more in which the run could be."""
        namespace, now = row["object_namespace"], self._context.clock.now()
        try:
            if await self._context.client.find(NAMESPACE, namespace) is not None:
                return False
            why = f"the namespace {namespace} is gone"

            def end(connection: Connection) -> None:
                tasks.abandon(connection, row["id"], now, why)
                _close(connection, namespace, why, now)

            await self._context.records.write(end)
        except (errors.ApiError, OSError):
            return False
        return True

    async def _apply(self, row: Mapping[str, Any], wanted: Object) -> None:
        told = {key: value for key, value in wanted.items() if value is not None}
        spec: Object = {"runId": row["id"], "displayName": row["display_name"], **told}
        client, namespace = self._context.client, row["object_namespace"]
        try:
            await client.create(RUN, RUN.new(row["id"], namespace, spec=spec))
        except errors.AlreadyExists:
            await client.patch(RUN, row["id"], namespace, {"spec": wanted})
        else:
            # Who deleted the run meanwhile found no object yet, and nobody would miss this one.
            if not await self._context.records.read(lambda connection: _there(connection, row["id"])):
                await client.delete(RUN, row["id"], namespace)


def _there(connection: Connection, run_id: str) -> bool:
    return connection.execute(select(runs.c.id).where(runs.c.id == run_id)).first() is not None


def _close(connection: Connection, namespace: str, why: str, now: float) -> None:
    """What would start one run after the other there, each of which is over at once."""
    off = {"enabled": False, "error_message": why, "updated_at": now}
    for table in (recurring_runs, triggers):
        connection.execute(table.update().where(table.c.namespace == namespace, table.c.enabled).values(**off))
    of_it = select(recurring_runs.c.id).where(recurring_runs.c.namespace == namespace)
    connection.execute(backfills.delete().where(backfills.c.recurring_run_id.in_(of_it)))


def _not_over(connection: Connection) -> list[Mapping[str, Any]]:
    query = select(*_READ).where(runs.c.state.in_(NOT_OVER), ~runs.c.external).order_by(runs.c.created_at, runs.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]
