"""What a service's annotations ask of its traffic: limits, copies to another service, headers that choose. Pure.

The limits go onto the routes as they are, for the gateway; a mirror is a filter of the routes, and a header that
chooses is a match of them, which any gateway knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import HTTP_PORT, PREDICTOR, Backend

RATE, RATE_EACH = "serving.fairway.dev/rate-limit", "serving.fairway.dev/rate-limit-per-token"
MIRROR = "serving.fairway.dev/mirror"
"""An InferenceService of the namespace that gets copies of the requests, as in iris-next or iris-next:10 (percent)."""
BY_HEADER = "serving.fairway.dev/route-by-header"
"""Which requests go to another InferenceService, as in X-Group=testers:iris-next; several with commas between."""
ENDPOINT = "fairway.dev/endpoint"

_ON_ROUTES = {RATE: "fairway.dev/rate-limit", RATE_EACH: "fairway.dev/rate-limit-per-token"}
_RATE = re.compile(r"[1-9]\d{0,8}/[smhd]")
_SERVICE = r"[a-z](?:[-a-z0-9]*[a-z0-9])?"
_MIRROR = re.compile(rf"({_SERVICE})(?::(\d{{1,3}}))?")
_HEADER = re.compile(rf"([A-Za-z0-9!#$%&'*+.^_`|~-]+)=([^:,]+):({_SERVICE})")


def mistakes(isvc: Object) -> Iterator[str]:
    given = meta.annotations(isvc)
    for annotation in (RATE, RATE_EACH):
        if not _RATE.fullmatch(given.get(annotation) or "1/s"):
            yield f"The annotation {annotation}: {given[annotation]} is no rate; write one as in 100/s (s, m, h or d)."
    mirror = _MIRROR.fullmatch(given.get(MIRROR) or "a")
    if not mirror or int(mirror[2] or 0) > 100:
        yield f"The annotation {MIRROR}: {given[MIRROR]} is no service with a percentage; write one as in iris-next:10."
    for part in _parts(isvc):
        if not _HEADER.fullmatch(part):
            yield f"The annotation {BY_HEADER}: {part} is no choice; write one as in X-Group=testers:iris-next."


def on_routes(isvc: Object) -> dict[str, str]:
    """Annotations of the routes. What is not asked for is empty and not absent, so that it goes when taken back."""
    given = meta.annotations(isvc)
    return {ENDPOINT: meta.name(isvc), **{route: given.get(own) or "" for own, route in _ON_ROUTES.items()}}


def mirrors(isvc: Object) -> list[Object]:
    """Filters of the routes."""
    found = _MIRROR.fullmatch(meta.annotations(isvc).get(MIRROR) or "")
    if not found:
        return []
    backend = {"group": "", "kind": "Service", "name": _predictor(found[1]), "port": HTTP_PORT}
    percent = {"percent": int(found[2])} if found[2] else {}
    return [{"type": "RequestMirror", "requestMirror": {"backendRef": backend, **percent}}]


def by_header(isvc: Object) -> Iterator[tuple[Object, Backend]]:
    """Each header match with where its requests go."""
    for part in _parts(isvc):
        if found := _HEADER.fullmatch(part):
            yield {"type": "Exact", "name": found[1], "value": found[2]}, Backend(_predictor(found[3]))


def _parts(isvc: Object) -> list[str]:
    return [part.strip() for part in meta.annotations(isvc).get(BY_HEADER, "").split(",") if part.strip()]


def _predictor(name: str) -> str:
    return f"{name}-{PREDICTOR}"
