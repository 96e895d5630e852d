"""Notices as clients call them: rules made, changed, tried, and what was told.

A workload has the rules of its own namespace, and sees no others: an address may be a secret, and what is told is what
happens in the namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Connection, RowMapping

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE
from fairway.pipelines import chronicle
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer, compact, moment
from fairway.pipelines.api.context import DEFAULT_NAMESPACE, Context, changed, existing, new_id
from fairway.pipelines.api.listing import Listed, order_of, page
from fairway.pipelines.notices import noticing, rules
from fairway.pipelines.notices.rules import Event
from fairway.pipelines.notices.sending import Sender
from fairway.pipelines.notices.tables import deliveries, notice_rules
from fairway.pipelines.rates import Rates

LISTED = Listed(
    notice_rules,
    {
        "created_at": notice_rules.c.created_at,
        "notice_id": notice_rules.c.id,
        "id": notice_rules.c.id,
        "display_name": notice_rules.c.display_name,
        "name": notice_rules.c.display_name,
        "updated_at": notice_rules.c.updated_at,
        "namespace": notice_rules.c.namespace,
    },
)
DELIVERIES_LISTED = Listed(
    deliveries,
    {
        "created_at": deliveries.c.created_at,
        "delivery_id": deliveries.c.id,
        "id": deliveries.c.id,
        "run_id": deliveries.c.run_id,
        "event": deliveries.c.event,
        "state": deliveries.c.state,
    },
)
_DISABLED = "the notice was disabled before this was sent"


class NoticeRecords:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._sender = Sender(context)
        self._tests = Rates(context.clock, at_once=5, per_second=0.1)

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/notices/{id}"
        return (
            Route("GET", "/apis/v2beta1/notices", self._list),
            Route("POST", "/apis/v2beta1/notices", self._create),
            Route("GET", one, self._get),
            Route("PATCH", one, self._patch),
            Route("DELETE", one, self._delete),
            Route("POST", f"{one}:enable", self._enable),
            Route("POST", f"{one}:disable", self._disable),
            Route("POST", f"{one}:test", self._test),
            Route("GET", f"{one}/deliveries", self._deliveries),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order, caller = order_of(request, LISTED), request[IDENTITY]
        where: list[ColumnElement[bool]] = []
        if caller.bound_to:
            where.append(notice_rules.c.namespace == caller.bound_to)
        if request.query.get("namespace"):
            where.append(notice_rules.c.namespace == request.query["namespace"])
        found = await self._context.records.read(lambda connection: page(connection, LISTED, order, *where))
        return answer(found.wire("notices", [_message(each) for each in found.rows]))

    async def _create(self, request: web.Request) -> web.Response:
        fields, caller = await messages.read(request, "Notice"), request[IDENTITY]
        channel, target = self._target(fields, caller)
        id_, now = new_id(), self._context.clock.now()
        only = rules.only(fields)
        values = {
            "id": id_,
            "display_name": messages.required_name(fields, "display_name"),
            "namespace": await self._namespace(fields, caller),
            "events": rules.events(fields),
            "only": only,
            "channel": channel,
            "target": target,
            "enabled": messages.mode(fields, default=True),
            "created_by": caller.user[:255],
            "created_at": now,
            "updated_at": now,
        }

        def write(connection: Connection) -> dict[str, Any]:
            chronicle.check_choice(connection, only)
            connection.execute(notice_rules.insert().values(**values, cursor=noticing.fresh(connection, now)))
            return _one(connection, id_)

        return answer(await self._context.records.write(write))

    async def _get(self, request: web.Request) -> web.Response:
        return answer(_message(await self._own(request)))

    async def _patch(self, request: web.Request) -> web.Response:
        """Fields that are given take the place of the old ones, and a webhook that of an e-mail."""
        fields = await messages.read(request, "Notice")
        before = await self._own(request)
        if fields.get("namespace", before["namespace"]) != before["namespace"]:
            raise errors.BadRequest("a notice keeps its namespace; make another one, and delete this")
        values, now = self._changes(fields, request[IDENTITY], before), self._context.clock.now()

        def write(connection: Connection) -> dict[str, Any]:
            chronicle.check_choice(connection, values.get("only", {}))
            found = existing(connection, notice_rules, before["id"], "notice")
            if values.get("enabled") and not found["enabled"]:
                values["cursor"] = noticing.fresh(connection, now)
            changed(connection, notice_rules, found["id"], **values, updated_at=now)
            if values.get("enabled") is False:
                _give_up(connection, found["id"])
            return _one(connection, found["id"])

        made = await self._context.records.write(write)
        return answer(made)

    async def _delete(self, request: web.Request) -> web.Response:
        found = await self._own(request)
        deleting = notice_rules.delete().where(notice_rules.c.id == found["id"])
        await self._context.records.write(lambda connection: connection.execute(deleting))
        return answer({})

    async def _enable(self, request: web.Request) -> web.Response:
        """What happened while it was disabled is not told."""
        found, now = await self._own(request), self._context.clock.now()

        def enable(connection: Connection) -> None:
            if not existing(connection, notice_rules, found["id"], "notice")["enabled"]:
                cursor = noticing.fresh(connection, now)
                changed(connection, notice_rules, found["id"], enabled=True, cursor=cursor, updated_at=now)

        await self._context.records.write(enable)
        return answer({})

    async def _disable(self, request: web.Request) -> web.Response:
        """What was not sent by now is not sent any more."""
        found, now = await self._own(request), self._context.clock.now()

        def disable(connection: Connection) -> None:
            changed(connection, notice_rules, found["id"], enabled=False, updated_at=now)
            _give_up(connection, found["id"])

        await self._context.records.write(disable)
        return answer({})

    async def _test(self, request: web.Request) -> web.Response:
        """Send something to the rule's target, now and once; answers with the delivery, which says how it went."""
        rule, now = await self._own(request), self._context.clock.now()
        if not self._tests.allow(rule["id"]):
            raise errors.TooManyRequests("a notice can be tried six times a minute; try again in ten seconds")
        message = f'This is a test of the notice "{rule["display_name"]}".'
        event = Event(rules.TEST, f"test {new_id()}", now, {}, message)
        one = noticing.delivery(rule["id"], event, now, self._context.public_url)
        await self._sender.test(dict(rule), {"attempts": 0, **one})
        read = self._context.records.read
        return answer(_delivery(await read(lambda c: existing(c, deliveries, one["id"], "delivery"))))

    async def _deliveries(self, request: web.Request) -> web.Response:
        order, rule = order_of(request, DELIVERIES_LISTED), await self._own(request)
        of_it = deliveries.c.rule_id == rule["id"]
        found = await self._context.records.read(lambda c: page(c, DELIVERIES_LISTED, order, of_it))
        return answer(found.wire("deliveries", [_delivery(each) for each in found.rows]))

    async def _own(self, request: web.Request) -> RowMapping:
        """The rule, where the caller may see it. Raises NotFound and Forbidden."""
        id_, caller = request.match_info["id"], request[IDENTITY]
        found = await self._context.records.read(lambda connection: existing(connection, notice_rules, id_, "notice"))
        if caller.bound_to not in ("", found["namespace"]):
            raise errors.Forbidden(f"{caller.user} has the notices of the namespace {caller.bound_to} only")
        return found

    async def _namespace(self, fields: Mapping[str, Any], caller: Identity) -> str:
        asked = messages.text(fields, "namespace", limit=messages.NAMESPACE_LIMIT)
        namespace = asked or caller.bound_to or DEFAULT_NAMESPACE
        if caller.bound_to not in ("", namespace):
            raise errors.Forbidden(f"{caller.user} may be told of the namespace {caller.bound_to} only")
        if "/" in namespace or not await self._context.client.find(NAMESPACE, namespace):
            raise errors.NotFound(f'there is no namespace "{namespace}"')
        return namespace

    def _target(self, fields: Mapping[str, Any], caller: Identity) -> tuple[str, dict[str, Any]]:
        channel, target = rules.target(fields, anywhere=not caller.bound_to)
        if channel == rules.EMAIL:
            self._sender.letters.check()
        return channel, target

    def _changes(self, fields: Mapping[str, Any], caller: Identity, before: RowMapping) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if "display_name" in fields:
            values["display_name"] = messages.required_name(fields, "display_name")
        if "events" in fields:
            values["events"] = rules.events(fields)
        if "only" in fields:
            values["only"] = rules.only(fields)
        if "mode" in fields:
            values["enabled"] = messages.mode(fields, default=before["enabled"])
        if any(name in fields for name in rules.CHANNELS):
            values["channel"], values["target"] = self._target(fields, caller)
        return values


def _give_up(connection: Connection, rule_id: str) -> None:
    pending = (deliveries.c.rule_id == rule_id) & (deliveries.c.state == "PENDING")
    connection.execute(deliveries.update().where(pending).values(state="FAILED", error_message=_DISABLED))


def _one(connection: Connection, id_: str) -> dict[str, Any]:
    return _message(existing(connection, notice_rules, id_, "notice"))


def _message(found: RowMapping) -> dict[str, Any]:
    field = next(name for name, channel in rules.CHANNELS.items() if channel == found["channel"])
    return compact(
        {
            "notice_id": found["id"],
            "display_name": found["display_name"],
            "namespace": found["namespace"],
            "events": found["events"],
            "only": found["only"],
            field: {name: value for name, value in found["target"].items() if name != "anywhere"},
            "mode": "ENABLE" if found["enabled"] else "DISABLE",
            "status": "ENABLED" if found["enabled"] else "DISABLED",
            "created_at": moment(found["created_at"]),
            "updated_at": moment(found["updated_at"]),
            "created_by": found["created_by"],
        }
    )


def _delivery(found: RowMapping) -> dict[str, Any]:
    pending = found["state"] == "PENDING"
    return compact(
        {
            "delivery_id": found["id"],
            "notice_id": found["rule_id"],
            "run_id": found["run_id"],
            "event": found["event"],
            "message": found["body"]["message"],
            "state": found["state"],
            "attempts": found["attempts"],
            "created_at": moment(found["created_at"]),
            "next_at": moment(found["next_at"]) if pending else None,
            "error": {"code": 14, "message": found["error_message"], "details": []} if found["error_message"] else None,
        }
    )
