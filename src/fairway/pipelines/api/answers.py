"""Answers on the wire: JSON as grpc-gateway writes it, and errors with the numbers of gRPC.

Handlers raise the errors of `kernel.objects.errors`; this is the edge that translates them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy import RowMapping

from fairway.artifacts.addresses import NotHere
from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Unsupported(errors.ApiError):
    """A part of the API that Fairway does not have. The text says what to do instead."""

    code, reason = 501, "NotImplemented"


class Failed(errors.ApiError):
    """The state of things forbids it (gRPC's FAILED_PRECONDITION)."""

    code, reason = 400, "FailedPrecondition"


_GRPC: tuple[tuple[type[errors.ApiError], int], ...] = (
    (Unsupported, 12),
    (Failed, 9),
    (errors.NotFound, 5),
    (errors.AlreadyExists, 6),
    (errors.Unauthorized, 16),
    (errors.Forbidden, 7),
    (errors.Conflict, 10),
    (errors.Expired, 9),
    (errors.TooManyRequests, 8),
    (errors.Unavailable, 14),
    (errors.Timeout, 4),
    (errors.InternalError, 13),
)
_INVALID_ARGUMENT = 3
_UPLOADS = "/apis/v2beta1/pipelines/upload"
"""Upstream's upload endpoints are not gRPC's, and name their errors in a way of their own."""
_GIVEN_AS_IS = {501, 404, 409, 401, 403, 413, 415, 429, 503, 504, 500}


def answer(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def guarded(route: Route) -> Route:
    """The route with its errors answered in KFP's shape, and with nobody let in who has no identity."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            if not route.public and IDENTITY not in request:
                raise errors.Unauthorized("who are you? send a bearer token (`fairway token` prints one)")
            _check_storable(request)
            return await route.handler(request)
        except errors.ApiError as failure:
            return _refusal(request, failure)
        except NotHere as failure:
            return _refusal(request, errors.Forbidden(str(failure)))
        except OSError as failure:
            if request.transport is None or request.transport.is_closing():
                raise
            log.warning("%s %s: %s", request.method, request.path, failure)
            return _refusal(request, errors.Unavailable(str(failure)))

    return Route(route.method, route.path, handle, public=route.public)


def _check_storable(request: web.Request) -> None:
    """Ids and words in the address are looked for in the records, and PostgreSQL takes no NUL."""
    if any("\0" in text for text in (*request.match_info.values(), *request.query.values())):
        raise errors.BadRequest("the address must not contain the character NUL (%00)")


def _refusal(request: web.Request, failure: errors.ApiError) -> web.Response:
    code = next((number for kind, number in _GRPC if isinstance(failure, kind)), _INVALID_ARGUMENT)
    status = failure.code if failure.code in _GIVEN_AS_IS else 400
    body = {"error": failure.message, "code": code, "message": failure.message, "details": []}
    if request.path.startswith(_UPLOADS):
        body |= {"error_message": failure.message, "error_details": failure.message}
    return answer(body, status)


def moment(seconds: float) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one; 0 is the epoch.

    >>> moment(0), moment(1704110400.25)
    ('1970-01-01T00:00:00Z', '2024-01-01T12:00:00.250000Z')
    """
    text = datetime.fromtimestamp(seconds, UTC).isoformat()
    return text.replace("+00:00", "Z")


def compact(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message without its unset fields, as proto3 JSON has it: no null, "", [], {}, 0 or False."""
    return {key: value for key, value in message.items() if value}


def error_of(row: RowMapping) -> dict[str, Any] | None:
    """What a run, one of its states or a task says went wrong, as a google.rpc.Status."""
    if not row["error_message"] and not row["error_code"]:
        return None
    return {"code": row["error_code"], "message": row["error_message"], "details": []}
