"""Who sent an HTTP request: by the certificate of its connection or by a token, and whom they act as."""

from __future__ import annotations

from aiohttp import web

from fairway.cluster.api.auditing.visits import Visit
from fairway.cluster.api.authorizing import impersonation
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.identity import authentication
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Unauthorized


def identify(backend: Backend, request: web.BaseRequest, visit: Visit) -> Identity:
    """Raises Unauthorized; Forbidden, BadRequest where they may not act as whom they name. The visit learns it."""
    sender = visit.identity = _sender(backend, request)
    if impersonation.is_asked(request.headers):
        visit.identity = impersonation.acting(backend.grants, sender, request.headers)
    return visit.identity


def _sender(backend: Backend, request: web.BaseRequest) -> Identity:
    peer = request.get_extra_info("peercert")
    found = authentication.of_certificate(peer) if peer else None
    if found is not None:
        return found
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("Unauthorized")
    return authentication.identify(backend, token.strip())
