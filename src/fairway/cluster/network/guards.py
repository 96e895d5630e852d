"""Who may pass a route: everybody, whoever has a token of the platform, or the holder of an endpoint token. Pure.

An endpoint token opens the endpoint that its route names (`fairway.dev/endpoint`), and nothing else: it has an
audience of its own, which no other door knows. It is bound to a Secret of the namespace, which says what it opens
and holds nothing secret; while that Secret is there the token opens, and when it is deleted it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

Resource = dict[str, Any]

JWT_FILTER = "envoy.filters.http.jwt_authn"
RBAC_FILTER = "envoy.filters.http.rbac"
OPEN_TO_ALL = "open-to-all"
"""What such routes require of a token: nothing."""
ENDPOINT = "endpoint"
"""What routes to endpoints require: a token of the platform, or an endpoint token."""
API = "api"
"""The names of the two are also where what they say is kept while a request passes."""

AUTH_ANNOTATION = "fairway.dev/auth"
ENDPOINT_ANNOTATION = "fairway.dev/endpoint"
TOKEN_LABEL = "fairway.dev/endpoint-token"  # noqa: S105  a label
OPENS_ANNOTATION = "fairway.dev/opens"
"""On the Secret: the endpoints that the token opens, with commas between, or * for all of the namespace."""
ENDPOINT_AUDIENCE = "fairway-endpoint"

Tokens = Mapping[tuple[str, str], "tuple[str, ...]"]
"""From (namespace, endpoint, or * for all of them) to the uids of the Secrets whose tokens open it."""

_PER_ROUTE = {"@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig"}
_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3"
# A holder predicts, and does not load models, unload them or read metrics. What could be spelled in two ways is closed.
_NOT_FOR_HOLDERS = r".*(%.*|/metrics/*|/v2/+repository(/.*)?|GRPCInferenceService/+Repository.*)"


def tokens(secrets: Iterable[Object]) -> Tokens:
    """Of the Secrets that carry the label."""
    found: dict[tuple[str, str], list[str]] = {}
    for secret in sorted(secrets, key=meta.key):
        if meta.being_deleted(secret):
            continue
        for endpoint in meta.annotations(secret).get(OPENS_ANNOTATION, "").split(","):
            if endpoint.strip():
                found.setdefault((meta.namespace(secret), endpoint.strip()), []).append(meta.uid(secret))
    return {key: tuple(uids) for key, uids in found.items()}


def filters(route: Object, tokens: Tokens, *, auth: bool) -> Resource:
    """typed_per_filter_config of all rules of the route; empty where a token of the platform is required."""
    if not auth or meta.annotations(route).get(AUTH_ANNOTATION) == "none":
        return {JWT_FILTER: {**_PER_ROUTE, "requirement_name": OPEN_TO_ALL}}
    endpoint = meta.annotations(route).get(ENDPOINT_ANNOTATION)
    if not endpoint:
        return {}
    namespace = meta.namespace(route)
    uids = (*tokens.get((namespace, endpoint), ()), *tokens.get((namespace, "*"), ()))
    policies = {"people-and-workloads": {"permissions": [{"any": True}], "principals": [_says(API, ["sub"])]}}
    if uids:
        policies["holders"] = {
            "permissions": [{"not_rule": {"url_path": {"path": {"safe_regex": {"regex": _NOT_FOR_HOLDERS}}}}}],
            "principals": [_says(ENDPOINT, ["kubernetes.io", "secret", "uid"], uid) for uid in uids],
        }
    rules = {"action": "ALLOW", "policies": policies}
    return {
        JWT_FILTER: {**_PER_ROUTE, "requirement_name": ENDPOINT},
        RBAC_FILTER: {"@type": f"{_RBAC}.RBACPerRoute", "rbac": {"rules": rules}},
    }


def unchecked() -> Resource:
    """Lets requests pass as they came: whoever gets them checks their tokens."""
    return {JWT_FILTER: {**_PER_ROUTE, "disabled": True}}


def jwt(issuer: str, jwks: str, audience: str) -> Resource:
    """The configuration of the filter that checks tokens: every request needs one, unless its route says otherwise."""
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": API}}]
    either = [{"provider_name": API}, {"provider_name": ENDPOINT}]
    # Also where no token is needed, a valid one is taken off the request: a pod could use it as its caller.
    anybody = {"requires_any": {"requirements": [*either, {"allow_missing_or_failed": {}}]}}
    return {
        "providers": {
            API: _provider(issuer, jwks, audience, API),
            ENDPOINT: _provider(issuer, jwks, ENDPOINT_AUDIENCE, ENDPOINT),
        },
        "rules": rules,
        "requirement_map": {OPEN_TO_ALL: anybody, ENDPOINT: {"requires_any": {"requirements": either}}},
    }


def rbac() -> Resource:
    """The filter itself lets everybody pass; routes say more."""
    return {"name": RBAC_FILTER, "typed_config": {"@type": f"{_RBAC}.RBAC"}}


def said(kind: str, path: list[str]) -> Resource:
    """Where what a token said is found while its request passes."""
    return {"key": JWT_FILTER, "path": [{"key": key} for key in (kind, *path)]}


def _provider(issuer: str, jwks: str, audience: str, name: str) -> Resource:
    return {
        "issuer": issuer,
        "audiences": [audience],
        "local_jwks": {"inline_string": jwks},
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "forward": False,  # a model's pod has no business with its callers' tokens
        "payload_in_metadata": name,
        "require_expiration": True,
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }


def _says(kind: str, path: list[str], value: str = "") -> Resource:
    """A principal: the token said this, or anything at this place."""
    wanted = {"string_match": {"exact": value}} if value else {"present_match": True}
    place = [{"key": key} for key in (kind, *path)]
    return {"metadata": {"filter": JWT_FILTER, "path": place, "value": wanted}}
