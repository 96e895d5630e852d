"""Triggers as clients call them: made, changed, switched on and off, listed with what they fired for.

What is to be run is read as for a run (`api.templates`), once when it is said and again when it starts. A workload may
look at all triggers, as at all runs, and may make and change those of its own namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, RowMapping

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines import chronicle
from fairway.pipelines.api import messages, templates
from fairway.pipelines.api.answers import Failed, answer
from fairway.pipelines.api.context import Context, changed, existing, new_id, row
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.api.versions import weights
from fairway.pipelines.tables import experiments
from fairway.pipelines.triggers import calls, finding, sources, wire
from fairway.pipelines.triggers.places import Places
from fairway.pipelines.triggers.tables import events, triggers

LISTED = Listed(
    triggers,
    {
        "created_at": triggers.c.created_at,
        "trigger_id": triggers.c.id,
        "id": triggers.c.id,
        "display_name": triggers.c.display_name,
        "name": triggers.c.display_name,
        "updated_at": triggers.c.updated_at,
        "fired_at": triggers.c.fired_at,
        "description": triggers.c.description,
        "namespace": triggers.c.namespace,
        "experiment_id": triggers.c.experiment_id,
        "kind": triggers.c.kind,
    },
)
EVENTS_LISTED = Listed(
    events,
    {
        "created_at": events.c.created_at,
        "run_id": events.c.id,
        "id": events.c.id,
        "state": events.c.state,
    },
)


class TriggerRecords:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._places = Places(context.artifacts, context.settings.watched_paths)

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/triggers/{id}"
        return (
            Route("GET", "/apis/v2beta1/triggers", self._list),
            Route("POST", "/apis/v2beta1/triggers", self._create),
            Route("GET", one, self._get),
            Route("PATCH", one, self._patch),
            Route("DELETE", one, self._delete),
            Route("POST", f"{one}:enable", self._enable),
            Route("POST", f"{one}:disable", self._disable),
            Route("POST", f"{one}:rotate", self._rotate),
            Route("GET", f"{one}/events", self._events),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order = order_of(request, LISTED)
        where: list[ColumnElement[bool]] = []
        if request.query.get("experiment_id"):
            where.append(triggers.c.experiment_id == request.query["experiment_id"])
        if request.query.get("namespace"):
            where.append(triggers.c.namespace == await self._context.namespace(request.query["namespace"]))

        def read(connection: Connection) -> dict[str, Any]:
            found = page(connection, LISTED, order, *where, weigh=partial(weights, reference="pipeline_id"))
            return found.wire("triggers", [wire.message(connection, each) for each in found.rows])

        return answer(await self._context.records.read(read))

    async def _create(self, request: web.Request) -> web.Response:
        fields, caller = await messages.read(request, "Trigger"), request[IDENTITY]
        kind, source = sources.read(fields)
        template = await self._template(fields, kind, source)
        cursor = await self._cursor(source)
        id_, now = new_id(), self._context.clock.now()
        token, digest = calls.new_token() if kind == sources.WEBHOOK else ("", "")
        own = {
            "id": id_,
            "display_name": messages.required_name(fields, "display_name"),
            "description": messages.text(fields, "description"),
            "kind": kind,
            "source": source,
            "token_digest": digest,
            "enabled": messages.mode(fields, default=True),
            "max_concurrency": wire.max_concurrency(fields),
            "created_by": caller.user[:255],
            "created_at": now,
            "updated_at": now,
        }

        def write(connection: Connection) -> dict[str, Any]:
            chronicle.check_choice(connection, source)
            run = templates.values(connection, template, caller, now, later=True)
            begun = finding.fresh(connection, now) if cursor is None else cursor
            connection.execute(triggers.insert().values(**run, **own, cursor=begun))
            return _one(connection, id_)

        made = await self._context.records.write(write)
        return answer({**made, "token": token} if token else made)

    async def _get(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return answer(await self._context.records.read(lambda connection: _one(connection, id_)))

    async def _patch(self, request: web.Request) -> web.Response:
        """Fields that are given take the place of the old ones. A new source counts from now."""
        id_, caller = request.match_info["id"], request[IDENTITY]
        fields = await messages.read(request, "Trigger")
        before = await self._own(id_, caller)
        values = await self._changes(before, fields)
        source = values.get("source", before["source"])
        again = any(name in fields for name in templates.FIELDS) or "source" in values
        template = None
        if again:
            whole = await self._context.records.read(lambda connection: templates.fields_of(connection, before))
            template = await self._template(templates.merged(whole, fields), before["kind"], source)
        from_now = "source" in values or (values.get("enabled") and not before["enabled"])
        cursor = await self._cursor(source) if from_now else None
        now = self._context.clock.now()

        def write(connection: Connection) -> dict[str, Any]:
            if existing(connection, triggers, id_, "trigger")["updated_at"] != before["updated_at"]:
                raise errors.Conflict("the trigger was changed at the same time; look at it and try again")
            chronicle.check_choice(connection, source)
            run = templates.values(connection, template, caller, now, later=True) if template else {}
            if values.get("enabled"):
                _check_open(connection, run.get("experiment_id", before["experiment_id"]))
            if from_now:
                values["cursor"] = finding.fresh(connection, now) if cursor is None else cursor
            changed(connection, triggers, id_, **run, **values, updated_at=now)
            return _one(connection, id_)

        made = await self._context.records.write(write)
        return answer(made)

    async def _delete(self, request: web.Request) -> web.Response:
        """Runs that it started stay; what waits is not started any more."""
        id_ = request.match_info["id"]
        await self._own(id_, request[IDENTITY])
        await self._context.records.write(lambda c: c.execute(triggers.delete().where(triggers.c.id == id_)))
        return answer({})

    async def _enable(self, request: web.Request) -> web.Response:
        """What happened while it was disabled does not count."""
        id_, now = request.match_info["id"], self._context.clock.now()
        before = await self._own(id_, request[IDENTITY])
        cursor = await self._cursor(before["source"])

        def enable(connection: Connection) -> None:
            found = existing(connection, triggers, id_, "trigger")
            if found["enabled"]:
                return
            _check_open(connection, found["experiment_id"])
            begun = finding.fresh(connection, now) if cursor is None else cursor
            changed(connection, triggers, id_, enabled=True, cursor=begun, error_message="", updated_at=now)

        await self._context.records.write(enable)
        return answer({})

    async def _disable(self, request: web.Request) -> web.Response:
        id_, now = request.match_info["id"], self._context.clock.now()
        await self._own(id_, request[IDENTITY])
        await self._context.records.write(lambda c: changed(c, triggers, id_, enabled=False, updated_at=now))
        return answer({})

    async def _rotate(self, request: web.Request) -> web.Response:
        """A new token for a webhook; from now on the old one is nobody's."""
        id_, now = request.match_info["id"], self._context.clock.now()
        before = await self._own(id_, request[IDENTITY])
        if before["kind"] != sources.WEBHOOK:
            raise Failed("this trigger has no webhook, and so no token")
        token, digest = calls.new_token()

        def rotate(connection: Connection) -> dict[str, Any]:
            changed(connection, triggers, id_, token_digest=digest, updated_at=now)
            return _one(connection, id_)

        return answer({**await self._context.records.write(rotate), "token": token})

    async def _events(self, request: web.Request) -> web.Response:
        order, id_ = order_of(request, EVENTS_LISTED), request.match_info["id"]

        def read(connection: Connection) -> dict[str, Any]:
            existing(connection, triggers, id_, "trigger")
            found = page(connection, EVENTS_LISTED, order, events.c.trigger_id == id_)
            return found.wire("events", [calls.message(each) for each in found.rows])

        return answer(await self._context.records.read(read))

    async def _own(self, id_: str, caller: Identity) -> RowMapping:
        """The trigger, where the caller may change it. Raises NotFound and Forbidden."""
        found = await self._context.records.read(lambda connection: existing(connection, triggers, id_, "trigger"))
        if caller.bound_to not in ("", found["namespace"]):
            raise errors.Forbidden(
                f"{caller.user} may change triggers of the namespace {caller.bound_to} only; "
                f"this one is in {found['namespace']}"
            )
        return found

    async def _template(self, fields: Mapping[str, Any], kind: str, source: Mapping[str, Any]) -> templates.Template:
        by_call = kind == sources.WEBHOOK  # whose calls may give what is missing
        template = await templates.read(self._context, fields, partly=by_call)
        sources.check_macros(template.parameters, sources.facts(kind, source))
        declared = template.pipeline.entry.input_parameters
        unknown = sorted(set(source.get("parameters", ())) - declared.keys()) if by_call else []
        if unknown:
            raise errors.BadRequest(f"webhook.parameters: the pipeline has no parameter {', '.join(unknown)}")
        return template

    async def _cursor(self, source: Mapping[str, Any]) -> str | None:
        """What lies at the source's address now; None where it has none, and the records say where to begin."""
        return await self._places.look(source["uri"]) if source.get("uri") else None

    async def _changes(self, before: RowMapping, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The trigger's own columns that PATCH changes."""
        values: dict[str, Any] = {}
        if "display_name" in fields:
            values["display_name"] = messages.required_name(fields, "display_name")
        if "description" in fields:
            values["description"] = messages.text(fields, "description")
        if "max_concurrency" in fields:
            values["max_concurrency"] = wire.max_concurrency(fields)
        if "mode" in fields:
            values["enabled"] = messages.mode(fields, default=before["enabled"])
        if any(name in fields for name in sources.FIELDS):
            kind, source = sources.read(fields)
            if kind != before["kind"]:
                raise errors.BadRequest("a trigger keeps its kind; make another one, and delete this")
            if source != before["source"]:
                values["source"] = source
        return values


def _one(connection: Connection, id_: str) -> dict[str, Any]:
    return wire.message(connection, existing(connection, triggers, id_, "trigger"))


def _check_open(connection: Connection, experiment_id: str) -> None:
    experiment = row(connection, experiments, experiment_id)
    if experiment is not None and experiment["storage_state"] == "ARCHIVED":
        raise Failed("the trigger's experiment is archived; unarchive the experiment first")
