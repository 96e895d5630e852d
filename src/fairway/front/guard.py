"""What every request passes before anything else: the right host, the right origin, somebody we know, who may.

Denied by default: a route is open only to those whom `Access` names for it, and a path that does not exist is
refused like any other to those without identity. Loopback is no exception, because every page in the user's
browser can reach it; the Host check stops DNS rebinding, the origin checks stop forged requests.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Collection, Mapping
from urllib.parse import quote, urlsplit

from aiohttp import web

from fairway.front.identity import Reviewer, is_owner, is_workload
from fairway.front.routing import Access, Handler
from fairway.front.sessions import Sessions
from fairway.kernel.feature import IDENTITY, Identity
from fairway.kernel.objects import errors

log = logging.getLogger(__name__)

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# gRPC's codes, which the KFP client prints.
_INVALID, _DENIED, _MISSING, _INTERNAL, _AWAY, _UNKNOWN_CALLER = 3, 7, 5, 13, 14, 16


class Guard:
    """The middleware of the front door. `access` says who may call a route; a route it does not list is OWNER."""

    def __init__(
        self,
        reviewer: Reviewer,
        sessions: Sessions,
        *,
        names: Collection[str],
        cookie: str,
        access: Mapping[web.AbstractRoute, Access],
    ) -> None:
        self._reviewer, self._sessions = reviewer, sessions
        self._names = names
        self._cookie = cookie
        self._access = access

    @web.middleware
    async def pass_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await self._checked(request, handler)
        except web.HTTPException as answer:
            # aiohttp's own refusals (no such path, wrong method) in the shape of every other refusal.
            if answer.status < 400 or answer.content_type == "application/json":
                raise
            return refusal(answer.status, _MISSING if answer.status == 404 else _INVALID, _explain(request, answer))
        except errors.ApiError as failure:
            return refusal(failure.code, _AWAY if failure.code >= 500 else _INVALID, failure.message)
        except ConnectionResetError:
            # The reader has left in the middle, which is nobody's fault; this answer reaches no one.
            return web.Response(status=499)
        except Exception:
            log.exception("%s %s failed", request.method, request.rel_url.raw_path)
            return refusal(500, _INTERNAL, "Fairway failed on this request. Its log says more; please report it.")

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        nothing_there = request.match_info.http_exception is not None
        access = Access.FEATURE if nothing_there else self._access.get(request.match_info.route, Access.OWNER)
        if access is Access.PUBLIC and request.path == "/healthz":
            return await handler(request)  # probes call by address
        if not self._host_is_ours(request):
            return refusal(
                421,
                _DENIED,
                f"This server does not answer for host {request.host!r}. "
                "Use the address that `fairway status` prints, or add the name to the setting allowed_hosts.",
            )
        identity, complaint = await self._identify(request)
        if access is not Access.PUBLIC:
            if identity is None:
                return _ask_for_login(request, complaint)
            if not _may(identity, access):
                return refusal(
                    403,
                    _DENIED,
                    f"{identity.user} may not use {request.path}: it is for {access.value}. "
                    "Call it with the token that `fairway token` prints.",
                )
        if identity:
            request[IDENTITY] = identity
        return await handler(request)

    def _host_is_ours(self, request: web.Request) -> bool:
        """By a name of ours, or by any address: only names can be made to lead here by somebody else."""
        try:
            name = urlsplit(f"//{request.host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)

    async def _identify(self, request: web.Request) -> tuple[Identity | None, str]:
        """Who calls, else why we cannot tell. A bearer token, where there is one, outweighs the cookie."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None, f"Only bearer tokens are understood, not {scheme!r}."
            return await self._reviewer.identify(token.strip()), "The token is not valid, or no longer."
        cookie = request.cookies.get(self._cookie)
        if cookie is None:
            return None, "This request carries no token."
        if not _from_our_pages(request):
            return None, "A session works only for requests of the dashboard's own pages."
        return self._sessions.check(cookie), "The session is over."


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "Fairway"
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"


def refusal(status: int, code: int, message: str) -> web.Response:
    """An error that the KFP client, the dashboard and people can read."""
    return web.json_response({"error": message, "code": code, "message": message}, status=status)


def names(*hosts: str) -> frozenset[str]:
    """The host names of a front door that is called by `hosts`."""
    return frozenset(host.lower() for host in (*_LOOPBACK, *hosts) if host)


def is_own_origin(origin: str, request: web.Request) -> bool:
    """Whether an Origin header names the very server that was asked."""
    return origin.partition("://")[2] == request.host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _from_our_pages(request: web.Request) -> bool:
    """Whether the browser says that our own page (or the user's hand) made this request.

    The cookie alone does not say it: to a browser every port of this machine is the same site.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is not None:
        return is_own_origin(origin, request)
    if request.method not in _SAFE:
        return site == "same-origin"
    # A link from elsewhere leads to the dashboard, and to nothing that answers or acts.
    followed_link = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.path == "/"
    return site in {None, "same-origin", "none"} or followed_link


def _may(identity: Identity, access: Access) -> bool:
    return is_owner(identity) or (access is Access.FEATURE and is_workload(identity))


def _ask_for_login(request: web.Request, complaint: str) -> web.Response:
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        back = f"?next={quote(request.path_qs)}" if request.path != "/" else ""
        return web.Response(status=303, headers={"Location": f"/login{back}"})
    answer = refusal(
        401,
        _UNKNOWN_CALLER,
        f"{complaint} Send `Authorization: Bearer TOKEN` with the token that `fairway token` prints; "
        "`fairway login` writes it where the clients find it.",
    )
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _explain(request: web.Request, answer: web.HTTPException) -> str:
    match answer.status:
        case 404:
            return f"There is nothing at {request.path}."
        case 405:
            return f"{request.method} is not possible at {request.path}."
        case 413:
            return "The request is too large."
        case _:
            return answer.text or answer.reason
