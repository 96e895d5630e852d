"""How often an endpoint may be asked: all together, and by each token. Pure.

Said by annotations of its routes, as in "100/s" or "10000/d". Routes of one endpoint count together, because what is
counted is the endpoint that they name. The counts live in Envoy: they start anew with it, and when any limit changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairway.cluster.network import guards
from fairway.cluster.network.guards import API, ENDPOINT, ENDPOINT_ANNOTATION, Resource
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

FILTER = "envoy.filters.http.local_ratelimit"
FILE = "limits.json"

ALL, EACH = "fairway.dev/rate-limit", "fairway.dev/rate-limit-per-token"

_FORM = re.compile(r"([1-9]\d{0,8})/(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NAME, _CALLER = "endpoint", "caller"
_KEPT, _PATIENCE = "fairway.limits", "seconds"
_CALLERS = 10_000  # of whom a count is kept; the one that was not seen for longest is forgotten


@dataclass(frozen=True, slots=True)
class Limit:
    requests: int
    seconds: int


def read(text: str, annotation: str) -> Limit:
    """Raises ValueError with a sentence."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{annotation}: {text!r} is no rate: write requests and s, m, h or d, as in 100/s")
    return Limit(int(found[1]), _SECONDS[found[2]])


def of_route(route: Object) -> Mapping[str, Limit]:
    """By annotation. Raises ValueError."""
    given = meta.annotations(route)
    return {name: read(given[name], name) for name in (ALL, EACH) if given.get(name)}


def actions(route: Object) -> list[Resource]:
    """The rate_limits of a route: what it counts. Raises ValueError."""
    limits = of_route(route)
    name = {"generic_key": {"descriptor_key": _NAME, "descriptor_value": _endpoint(route)}}
    found: list[Resource] = [{"actions": [name]}] if ALL in limits else []
    if EACH in limits:
        for kind, path in ((API, ["sub"]), (ENDPOINT, ["kubernetes.io", "secret", "uid"])):
            caller = {"metadata": {"descriptor_key": _CALLER, "metadata_key": guards.said(kind, path)}}
            found.append({"actions": [name, caller]})
    return found


def patience(route: Object) -> Resource:
    """The metadata of a route: after how many seconds there is room for one more, as the counts fill evenly."""
    seconds = max(math.ceil(one.seconds / one.requests) for one in of_route(route).values())
    return {"filter_metadata": {_KEPT: {_PATIENCE: str(seconds)}}}


def filter(routes: Iterable[Object]) -> Resource:
    """The filter with the counts of all endpoints. Where routes of one endpoint disagree, the lowest limit holds."""
    descriptors: dict[tuple[str, bool], Limit] = {}
    for route in routes:
        for annotation, limit in of_route(route).items():
            key = _endpoint(route), annotation == EACH
            other = descriptors.get(key, limit)
            descriptors[key] = min(limit, other, key=lambda one: one.requests / one.seconds)
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limits",
        "filter_enabled": always,
        "filter_enforced": always,
        "descriptors": [_descriptor(*key, limit) for key, limit in sorted(descriptors.items(), key=lambda one: one[0])],
        "max_dynamic_descriptors": _CALLERS,
        "always_consume_default_token_bucket": False,
        "response_headers_to_add": [
            {
                "header": {"key": "retry-after", "value": f"%METADATA(ROUTE:{_KEPT}:{_PATIENCE})%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "rate_limited_as_resource_exhausted": True,  # else gRPC's clients hear UNAVAILABLE, and ask again at once
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    }


def extension(routes: Iterable[Object]) -> Resource:
    """The same as it stands in a file that Envoy watches."""
    kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
    return {"@type": kind, "name": FILTER, "typed_config": filter(routes)}


def _descriptor(endpoint: str, each: bool, limit: Limit) -> Resource:
    entries = [{"key": _NAME, "value": endpoint}, *([{"key": _CALLER}] if each else [])]
    bucket = {
        "max_tokens": limit.requests,
        "tokens_per_fill": limit.requests,
        "fill_interval": f"{limit.seconds}s",
    }
    return {"entries": entries, "token_bucket": bucket}


def _endpoint(route: Object) -> str:
    name = meta.annotations(route).get(ENDPOINT_ANNOTATION) or f"route/{meta.name(route)}"
    return f"{meta.namespace(route)}/{name}"
