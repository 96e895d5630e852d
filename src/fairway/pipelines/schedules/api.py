"""Recurring runs as clients call them: KFP's requests, and PATCH. What concerns single slots is in `asking`.

What is to be run is read as for a run (`api.templates`), once when it is said and again when it starts. A workload may
look at all recurring runs, as at all runs, and may make and change those of its own namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, RowMapping, case

from fairway.kernel import cron
from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages, templates
from fairway.pipelines.api.answers import Failed, answer
from fairway.pipelines.api.context import Context, changed, existing, new_id, row
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.api.starting import NOT_OVER
from fairway.pipelines.api.versions import weights
from fairway.pipelines.schedules import fields, slots, wire
from fairway.pipelines.schedules.tables import backfills, recurring_runs
from fairway.pipelines.tables import experiments, run_states, runs
from fairway.pipelines.tasks import ENDING

LISTED = Listed(
    recurring_runs,
    {
        "created_at": recurring_runs.c.created_at,
        "recurring_run_id": recurring_runs.c.id,
        "id": recurring_runs.c.id,
        "display_name": recurring_runs.c.display_name,
        "name": recurring_runs.c.display_name,
        "updated_at": recurring_runs.c.updated_at,
        "description": recurring_runs.c.description,
        "namespace": recurring_runs.c.namespace,
        "experiment_id": recurring_runs.c.experiment_id,
        "status": case((recurring_runs.c.enabled, "ENABLED"), else_="DISABLED"),
    },
    words={"status": str.upper},
)
_POLICIES = {
    "": False, "DELETE_PROPAGATION_POLICY_UNSPECIFIED": False, "0": False, "ORPHAN": False, "3": False,
    "FOREGROUND": True, "1": True, "BACKGROUND": True, "2": True,
}  # fmt: skip
"""Whether runs that go on are ended with their recurring run. Upstream's names and numbers."""


class RecurringRuns:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._zone = cron.zone(context.settings.cron_time_zone)

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/recurringruns/{id}"
        return (
            Route("GET", "/apis/v2beta1/recurringruns", self._list),
            Route("POST", "/apis/v2beta1/recurringruns", self._create),
            Route("GET", one, self._get),
            Route("PATCH", one, self._patch),
            Route("DELETE", one, self._delete),
            Route("POST", f"{one}:enable", self._enable),
            Route("POST", f"{one}:disable", self._disable),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order = order_of(request, LISTED)
        where: list[ColumnElement[bool]] = []
        experiment = messages.storable(request.query.get("experiment_id", ""), "experiment_id")
        if experiment:
            where.append(recurring_runs.c.experiment_id == experiment)
        if request.query.get("namespace"):
            where.append(recurring_runs.c.namespace == await self._context.namespace(request.query["namespace"]))

        def read(connection: Connection) -> dict[str, Any]:
            found = page(connection, LISTED, order, *where, weigh=partial(weights, reference="pipeline_id"))
            if experiment and not found.rows:
                existing(connection, experiments, experiment, "experiment")
            return found.wire("recurringRuns", [self._message(connection, each) for each in found.rows])

        return answer(await self._context.records.read(read))

    async def _create(self, request: web.Request) -> web.Response:
        given, caller = await messages.read(request, "RecurringRun"), request[IDENTITY]
        id_, now = new_id(), self._context.clock.now()
        own = {
            "display_name": messages.required_name(given, "display_name"),
            "max_concurrency": 1,
            "no_catchup": False,
            "enabled": messages.mode(given, default=False),  # as upstream
            **fields.own(given),
            **fields.trigger(given, now, self._zone),
            "created_by": caller.user[:255],
            "created_at": now,
            "updated_at": now,
        }
        template = await templates.read(self._context, given)

        def write(connection: Connection) -> dict[str, Any]:
            values = {"id": id_, **templates.values(connection, template, caller, now, later=True), **own}
            connection.execute(recurring_runs.insert().values(**values, next_at=self._next(values)))
            return self._one(connection, id_)

        made = await self._context.records.write(write)
        return answer(made)

    async def _get(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return answer(await self._context.records.read(lambda connection: self._one(connection, id_)))

    async def _patch(self, request: web.Request) -> web.Response:
        """Fields that are given take the place of the old ones. A new trigger counts from now."""
        id_, caller = request.match_info["id"], request[IDENTITY]
        given, now = await messages.read(request, "RecurringRun"), self._context.clock.now()
        before = await self._context.records.read(lambda connection: owned(connection, id_, caller))
        values = fields.own(given)
        if "trigger" in given:
            values |= _changed_trigger(before, fields.trigger(given, now, self._zone, anew=True))
        values["enabled"] = messages.mode(given, default=before["enabled"])
        template = None
        if any(name in given for name in templates.FIELDS):
            whole = await self._context.records.read(lambda connection: templates.fields_of(connection, before))
            template = await templates.read(self._context, templates.merged(whole, given))

        def write(connection: Connection) -> dict[str, Any]:
            current = owned(connection, id_, caller)
            if current["updated_at"] != before["updated_at"]:
                raise errors.Conflict("the recurring run was changed at the same time; look at it and try again")
            run = templates.values(connection, template, caller, now, later=True) if template else {}
            self._write(connection, current, {**run, **values}, now)
            return self._one(connection, id_)

        made = await self._context.records.write(write)
        return answer(made)

    async def _enable(self, request: web.Request) -> web.Response:
        """Slots that passed meanwhile were missed: they are made up for, unless it says no_catchup."""
        return await self._switch(request, on=True)

    async def _disable(self, request: web.Request) -> web.Response:
        """Its backfills end with it; runs that were started go on."""
        return await self._switch(request, on=False)

    async def _switch(self, request: web.Request, *, on: bool) -> web.Response:
        id_, caller, now = request.match_info["id"], request[IDENTITY], self._context.clock.now()

        def switch(connection: Connection) -> None:
            current = owned(connection, id_, caller)
            if not on:
                connection.execute(backfills.delete().where(backfills.c.recurring_run_id == id_))
            if current["enabled"] != on:
                self._write(connection, current, {"enabled": on}, now)

        await self._context.records.write(switch)
        return answer({})

    async def _delete(self, request: web.Request) -> web.Response:
        """Its runs stay. Those that go on go on, unless the policy says that they go with it."""
        id_, caller, now = request.match_info["id"], request[IDENTITY], self._context.clock.now()
        policy = request.query.get("propagation_policy", "")
        if policy not in _POLICIES:
            raise errors.BadRequest(f"propagation_policy must be FOREGROUND, BACKGROUND or ORPHAN, not {policy!r}")

        def delete(connection: Connection) -> None:
            owned(connection, id_, caller)
            connection.execute(recurring_runs.delete().where(recurring_runs.c.id == id_))
            if _POLICIES[policy]:
                _end_runs(connection, id_, now)

        await self._context.records.write(delete)
        self._context.wake.set()
        return answer({})

    def _write(self, connection: Connection, current: RowMapping, values: Mapping[str, Any], now: float) -> None:
        """Change the row, and with it when the loop looks next. What it complained of may be put right."""
        new = {**current, **values}
        if new["enabled"] and not current["enabled"]:
            _check_open(connection, new["experiment_id"])
        following = {"next_at": self._next(new), "error_message": "", "updated_at": now}
        changed(connection, recurring_runs, current["id"], **values, **following)

    def _next(self, values: Mapping[str, Any]) -> float | None:
        return slots.of_row(values, self._zone).next

    def _one(self, connection: Connection, id_: str) -> dict[str, Any]:
        return self._message(connection, existing(connection, recurring_runs, id_, "recurring run"))

    def _message(self, connection: Connection, found: RowMapping) -> dict[str, Any]:
        return wire.message(connection, found, self._zone, self._context.clock.now())


def owned(connection: Connection, id_: str, caller: Identity) -> RowMapping:
    """The recurring run, where the caller may change it. Raises NotFound and Forbidden."""
    found = existing(connection, recurring_runs, id_, "recurring run")
    if caller.bound_to not in ("", found["namespace"]):
        raise errors.Forbidden(
            f"{caller.user} may change recurring runs of the namespace {caller.bound_to} only; "
            f"this one is in {found['namespace']}"
        )
    return found


def _changed_trigger(before: RowMapping, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The columns of a new trigger. One that only ends at another time goes on where it was."""
    same = all(wanted[name] == before[name] for name in ("cron", "interval_seconds", "time_zone", "start_at"))
    return {"end_at": wanted["end_at"]} if same and (wanted["cron"] or wanted["interval_seconds"]) else wanted


def _check_open(connection: Connection, experiment_id: str) -> None:
    experiment = row(connection, experiments, experiment_id)
    if experiment is not None and experiment["storage_state"] == "ARCHIVED":
        raise Failed("the recurring run's experiment is archived; unarchive the experiment first")


def _end_runs(connection: Connection, id_: str, now: float) -> None:
    going = runs.c.state.in_(NOT_OVER) & (runs.c.recurring_run_id == id_) & (runs.c.state != ENDING)
    for run in connection.execute(runs.update().where(going).values(state=ENDING).returning(runs.c.id)).all():
        connection.execute(run_states.insert().values(run_id=run.id, state=ENDING, at=now))
