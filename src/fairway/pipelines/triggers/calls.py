"""Calls of webhooks: `POST /triggers/{id}:fire`, the one thing that strangers may do who hold a trigger's own token.

The route is public at the front door, so that everything is checked here: who does not hold the token learns nothing,
not even whether there is such a trigger. An event that was answered for is in the records.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy import Connection, RowMapping, func, select

from fairway.kernel.feature import IDENTITY, Identity, Route
from fairway.kernel.objects import errors
from fairway.pipelines import chronicle
from fairway.pipelines.api import arguments, messages, templates
from fairway.pipelines.api.answers import Failed, answer, moment
from fairway.pipelines.api.context import Context, existing, new_id, row
from fairway.pipelines.rates import Rates
from fairway.pipelines.triggers import finding, sources, starts
from fairway.pipelines.triggers.finding import Event
from fairway.pipelines.triggers.tables import events, triggers

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
MOST_WAITING = 1000
AT_ONCE, PER_SECOND = 100, 10.0
"""Calls of one trigger that are taken at once, and then each second."""

_PREFIX = "fairway-trigger-"
_NOBODY = "0" * 64


def new_token() -> tuple[str, str]:
    """(token, its digest). Only the digest is kept."""
    token = _PREFIX + secrets.token_urlsafe(32)
    return token, digest(token)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()  # a header may hold any bytes


def message(event: RowMapping) -> dict[str, Any]:
    """An event on the wire. `run_id` is that of the run that it starts, or is to start."""
    shown = {
        "trigger_id": event["trigger_id"],
        "run_id": event["id"],
        "state": event["state"],
        "created_at": moment(event["created_at"]),
    }
    about = {key: value for key, value in event["facts"].items() if value}
    if about:
        shown["about"] = about
    if event["parameters"]:
        shown["parameters"] = event["parameters"]
    if event["error_message"]:
        shown["error"] = {"code": 9, "message": event["error_message"], "details": []}
    return shown


class Calls:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._rates = Rates(context.clock, at_once=AT_ONCE, per_second=PER_SECOND)

    def routes(self) -> tuple[Route, ...]:
        return (Route("POST", "/apis/v2beta1/triggers/{id}:fire", self._fire, public=True),)

    async def _fire(self, request: web.Request) -> web.Response:
        trigger = await self._allowed(request)
        if trigger["kind"] != sources.WEBHOOK:
            raise Failed("this trigger has no webhook, and is not fired by a call")
        if not trigger["enabled"]:
            raise Failed("the trigger is disabled; enable it with POST /apis/v2beta1/triggers/{id}:enable")
        if not self._rates.allow(trigger["id"]):
            raise errors.TooManyRequests(f"a trigger takes {PER_SECOND:g} calls a second; try again in a second")
        fields = await _body(request)
        parameters = _parameters(trigger["source"], fields.get("parameters"))
        key = messages.text(fields, "key", limit=255)
        now = self._context.clock.now()
        event = Event(f"key {key}" if key else f"call {new_id()}", now, parameters=parameters)
        await self._check(trigger, event)
        kept = finding.row(trigger["id"], event)
        await self._context.records.write(lambda connection: _keep(connection, kept))
        await self._begin(trigger["id"])
        return answer(await self._context.records.read(lambda c: _event(c, kept["id"])))

    async def _allowed(self, request: web.Request) -> dict[str, Any]:
        """The trigger, for who holds its token, and for who may start runs in its namespace anyway."""
        id_ = request.match_info["id"]
        found = await self._context.records.read(lambda connection: row(connection, triggers, id_))
        trigger = dict(found) if found is not None else None
        wanted = trigger["token_digest"] if trigger is not None and trigger["token_digest"] else _NOBODY
        holds_token = hmac.compare_digest(digest(_token(request)), wanted)
        if holds_token and trigger is not None:
            return trigger
        if IDENTITY not in request:
            raise errors.Unauthorized("this needs the trigger's own token, as a bearer token or in X-Fairway-Token")
        caller: Identity = request[IDENTITY]
        if trigger is None:
            raise errors.NotFound(f'there is no trigger "{id_}"')
        if caller.bound_to not in ("", trigger["namespace"]):
            raise errors.Forbidden(f"{caller.user} may fire triggers of the namespace {caller.bound_to} only")
        return trigger

    async def _check(self, trigger: Mapping[str, Any], event: Event) -> None:
        """Whoever calls learns at once what is wrong with the parameters. Raises BadRequest."""
        read = self._context.records.read
        documents, _, _ = await read(lambda connection: templates.documents(connection, trigger))
        pipeline = await asyncio.to_thread(documents.load)
        facts = {"time": moment(event.at)}
        arguments.checked(pipeline, {**sources.filled(trigger["parameters"], facts), **event.parameters})

    async def _begin(self, trigger_id: str) -> None:
        """Start what is first, which usually is this call's. The event is kept: what fails here, the loop does."""
        try:
            await starts.first(self._context, trigger_id)
        except (OSError, errors.ApiError) as failure:
            log.warning("the trigger %s was fired, and its run starts later: %s", trigger_id, failure)


def _token(request: web.Request) -> str:
    own = request.headers.get("X-Fairway-Token", "")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return own or (token.strip() if scheme.lower() == "bearer" else "")


async def _body(request: web.Request) -> dict[str, Any]:
    content = bytearray()
    async for chunk in request.content.iter_any():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise errors.TooLarge(f"the body of a call has at most {LARGEST_BODY >> 10} KiB")
    if not content.strip():
        return {}
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as wrong:
        raise errors.BadRequest(f"the body is not JSON: {wrong}") from wrong
    messages.bounded(body, "the body")
    return messages.part(body, "FireRequest", "the body")


def _parameters(source: Mapping[str, Any], given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise errors.BadRequest("parameters must be an object")
    allowed = source.get("parameters")
    refused = [] if allowed is None else sorted(given.keys() - set(allowed))
    if refused:
        may = f"it allows {', '.join(allowed)}" if allowed else "it allows none"
        raise errors.BadRequest(f"the trigger does not allow a call to give {', '.join(refused)}; {may}")
    return dict(given)


def _event(connection: Connection, id_: str) -> dict[str, Any]:
    return message(existing(connection, events, id_, "event"))


def _keep(connection: Connection, kept: Mapping[str, Any]) -> None:
    of_it = (events.c.trigger_id == kept["trigger_id"]) & (events.c.state == "WAITING")
    waiting = connection.execute(select(func.count()).select_from(events).where(of_it)).scalar_one()
    if waiting >= MOST_WAITING:
        raise errors.TooManyRequests(f"{waiting:,} calls wait to be started; try again when there are fewer")
    chronicle.insert_new(connection, events, [kept])
