"""What an HTTPRoute means: its rules as Envoy routes, and what in it we cannot do, named. Pure.

A route with anything that is not supported is not programmed at all: half a route would be a surprise.
Backends that do not exist answer 503 and are said in the route's status. A backend without endpoints has no share
of a rule while another one has some: its pods may be ready and their endpoints not be here yet, and who moves
traffic by weights hears of the one and of the other in no certain order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.cluster.network import durations, guards, limits, wellformed
from fairway.cluster.network.guards import Resource, Tokens
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

MISSING = "missing"
"""The cluster of backends that do not exist: it has no endpoints."""

Backend = Callable[[str, str, int], "str | None"]
"""From (namespace, service, port) to the name of its cluster, or None where there is none."""


class Unsupported(Exception):
    """Something in the route that we cannot do. `reason` is the Gateway API's word for it."""

    def __init__(self, message: str, reason: str = "UnsupportedValue") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Rule:
    """One match of one rule: `rank` sorts the more particular before the more general."""

    rank: tuple[Any, ...]
    envoy: Resource


@dataclass
class Rendered:
    hostnames: tuple[str, ...] = ()
    rules: list[Rule] = field(default_factory=list)
    refused: str = ""
    refused_reason: str = ""
    unresolved: list[tuple[str, str]] = field(default_factory=list)
    """(reason, sentence) of each backend that cannot be used."""
    silent: list[str] = field(default_factory=list)
    """A sentence for each rule of a path whose backends have no endpoints. What is chosen by more than its path, such
    as a header, may lead to somebody else's service, and says nothing of the route."""


def render(route: Object, backend: Backend, tokens: Tokens, filled: Collection[str], *, auth: bool) -> Rendered:
    """`filled` are the clusters that have endpoints."""
    spec = route.get("spec") or {}
    result = Rendered(hostnames=tuple(dict.fromkeys(spec.get("hostnames") or ())))
    try:
        filters, counted = guards.filters(route, tokens, auth=auth), limits.actions(route)
        for host in result.hostnames:
            wellformed.hostname(host)
        for number, rule in enumerate(spec.get("rules") or ({},)):
            _refuse_others(rule, _RULE_FIELDS, f"spec.rules[{number}]")
            action = _action(route, rule, number, backend, filled, result)
            for match_number, match in enumerate(rule.get("matches") or ({},)):
                place = f"spec.rules[{number}].matches[{match_number}]"
                result.rules.append(_rule(route, rule, match, action, place, filters, counted))
    except Unsupported as refused:
        return _refused(str(refused), refused.reason)
    except ValueError as refused:
        return _refused(str(refused))
    except (TypeError, AttributeError, LookupError) as problem:
        # What the schema leaves open may be anything; one bad route must not take the gateway from all others.
        return _refused(f"something in spec has another type than it should: {problem}")
    return result


def _refused(why: str, reason: str = "UnsupportedValue") -> Rendered:
    return Rendered(refused=why, refused_reason=reason)


_RULE_FIELDS = frozenset(("name", "matches", "filters", "backendRefs", "timeouts"))
_MATCH_FIELDS = frozenset(("path", "headers", "queryParams", "method"))
_MIRROR_FIELDS = frozenset(("backendRef", "percent", "fraction"))
_BACKEND_FIELDS = frozenset(("group", "kind", "namespace", "name", "port", "weight"))


def _refuse_others(part: Mapping[str, Any], known: frozenset[str], place: str) -> None:
    for name in part:
        if name not in known and part[name] not in (None, [], {}):
            raise Unsupported(f"{place}.{name} is not supported by this gateway: remove it")


def _rule(
    route: Object, rule: Object, match: Object, action: Resource, place: str, filters: Resource, counted: list[Resource]
) -> Rule:
    _refuse_others(match, _MATCH_FIELDS, place)
    path = match.get("path") or {}
    kind, value = path.get("type") or "PathPrefix", path.get("value") or "/"
    envoy: Resource = {"match": _match(match, kind, value), **_with_path(action, rule, kind, value, place)}
    envoy.update(_header_changes(rule))
    if filters:
        envoy["typed_per_filter_config"] = filters
    if counted and "route" in envoy:
        envoy["route"] = {**envoy["route"], "rate_limits": counted}
        envoy["metadata"] = limits.patience(route)
    rank = (
        ("Exact", "RegularExpression", "PathPrefix").index(kind),
        -len(value),
        not match.get("method"),
        -len(match.get("headers") or ()),
        -len(match.get("queryParams") or ()),
        route["metadata"].get("creationTimestamp") or "",
        meta.key(route),
    )
    return Rule(rank, envoy)


def beside_the_front(envoy: Resource) -> Resource:
    """A route that shares its origin with the dashboard, made such that neither gets hold of the other's session.

    The service sees no cookie and sets none, and what it answers runs, where it is a page, in an origin of its own.
    """
    return {
        **envoy,
        "request_headers_to_remove": [*envoy.get("request_headers_to_remove", ()), "cookie"],
        "response_headers_to_remove": [
            *envoy.get("response_headers_to_remove", ()),
            "set-cookie",
            "clear-site-data",
        ],
        "response_headers_to_add": [
            *envoy.get("response_headers_to_add", ()),
            *_headers([{"name": "content-security-policy", "value": "sandbox"}], "APPEND_IF_EXISTS_OR_ADD"),
            *_headers([{"name": "x-content-type-options", "value": "nosniff"}], "OVERWRITE_IF_EXISTS_OR_ADD"),
        ],
    }


# Matches


def _match(match: Object, kind: str, value: str) -> Resource:
    envoy = _path_match(kind, value)
    headers = [_value_match(header, "header") for header in match.get("headers") or ()]
    if match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    if headers:
        envoy["headers"] = headers
    if match.get("queryParams"):
        envoy["query_parameters"] = [_value_match(query, "query parameter") for query in match["queryParams"]]
    return envoy


def _path_match(kind: str, value: str) -> Resource:
    if kind == "RegularExpression":
        return {"safe_regex": {"regex": wellformed.regex(value)}}
    wellformed.path(value)
    if kind == "Exact":
        return {"path": value}
    if kind != "PathPrefix":
        raise Unsupported(f"path match of type {kind} is not supported: use Exact, PathPrefix or RegularExpression")
    prefix = value.rstrip("/")
    return {"path_separated_prefix": prefix} if prefix else {"prefix": "/"}


def _value_match(match: Object, what: str) -> Resource:
    kind, name, value = match.get("type") or "Exact", str(match.get("name", "")), str(match.get("value", ""))
    if what == "header":
        wellformed.header(name, value)
    else:
        wellformed.parameter(name)
    if kind == "Exact":
        return {"name": name, "string_match": {"exact": value}}
    if kind == "RegularExpression":
        return {"name": name, "string_match": {"safe_regex": {"regex": wellformed.regex(value)}}}
    raise Unsupported(f"{what} match of type {kind} is not supported: use Exact or RegularExpression")


# Actions


def _action(
    route: Object, rule: Object, number: int, backend: Backend, filled: Collection[str], result: Rendered
) -> Resource:
    """{"route": ...}, {"redirect": ...} or {"direct_response": ...}, but for what depends on the matched path."""
    for position, item in enumerate(rule.get("filters") or ()):
        if item.get("type") not in _FILTERS:
            place = f"spec.rules[{number}].filters[{position}]"
            raise Unsupported(f"{place} of type {item.get('type')} is not supported by this gateway: remove it")
    redirect = _filter(rule, "RequestRedirect")
    if redirect is not None:
        return {"redirect": _redirect(redirect)}
    weights: dict[str, int] = {}
    for position, ref in enumerate(rule.get("backendRefs") or ()):
        place = f"spec.rules[{number}].backendRefs[{position}]"
        name, problem = _resolve(route, ref, place, backend)
        if problem:
            result.unresolved.append(problem)
        weights[name] = weights.get(name, 0) + int(ref.get("weight", 1))
    weights = {name: weight for name, weight in wellformed.weights(weights).items() if weight > 0}
    if not weights:
        return {"direct_response": {"status": 500, "body": {"inline_string": "the route has no backend"}}}
    if any(name in filled for name in weights):
        weights = {name: weight for name, weight in weights.items() if name in filled or name == MISSING}
    elif _by_path_alone(rule):
        result.silent.append(f"spec.rules[{number}]: no backend has a ready endpoint")
    route_ = {**_clusters(weights), **_timeouts(rule), "retry_policy": _retries(rule)}
    if mirrors := list(_mirrors(route, rule, number, backend, result.unresolved)):
        route_["request_mirror_policies"] = mirrors
    return {"route": route_}


def _by_path_alone(rule: Object) -> bool:
    matches: list[Object] = rule.get("matches") or [{}]
    return any(not match.keys() - {"path"} for match in matches)


def _mirrors(
    route: Object, rule: Object, number: int, backend: Backend, unresolved: list[tuple[str, str]]
) -> Iterator[Resource]:
    """Copies of requests that go elsewhere too; what is answered there is thrown away."""
    for position, item in enumerate(rule.get("filters") or ()):
        if item.get("type") != "RequestMirror":
            continue
        place = f"spec.rules[{number}].filters[{position}].requestMirror"
        mirror = item.get("requestMirror") or {}
        _refuse_others(mirror, _MIRROR_FIELDS, place)
        name, problem = _resolve(route, mirror.get("backendRef") or {}, f"{place}.backendRef", backend)
        if problem:
            unresolved.append(problem)
            continue
        yield {"cluster": name, "runtime_fraction": {"default_value": _fraction(mirror, place)}}


def _fraction(mirror: Object, place: str) -> Resource:
    """How many of the requests are copied: all, a percentage, or a fraction; Envoy counts in millionths."""
    fraction = mirror.get("fraction") or {"numerator": mirror.get("percent", 100)}
    numerator, denominator = int(fraction.get("numerator", 0)), int(fraction.get("denominator") or 100)
    if denominator <= 0 or not 0 <= numerator <= denominator:
        raise Unsupported(f"{place} copies {numerator} of {denominator} requests: use a number between none and all")
    return {"numerator": round(numerator * 1_000_000 / denominator), "denominator": "MILLION"}


def _resolve(route: Object, ref: Object, place: str, backend: Backend) -> tuple[str, tuple[str, str] | None]:
    """The cluster of a backend, and what is wrong with the reference if something is."""
    _refuse_others(ref, _BACKEND_FIELDS, place)
    name, namespace = ref.get("name", ""), meta.namespace(route)
    if (ref.get("group") or "", ref.get("kind") or "Service") != ("", "Service"):
        return MISSING, ("InvalidKind", f"{place}: only Services can be backends, not {ref.get('kind')}")
    if ref.get("namespace") not in (None, "", namespace):
        return MISSING, ("RefNotPermitted", f"{place}: a backend in another namespace is not permitted")
    cluster = backend(namespace, name, int(ref.get("port") or 0))
    if cluster is None:
        return MISSING, ("BackendNotFound", f"{place}: there is no Service {name!r} with port {ref.get('port')}")
    return cluster, None


def _clusters(weights: dict[str, int]) -> Resource:
    if len(weights) == 1:
        return {"cluster": next(iter(weights))}
    return {"weighted_clusters": {"clusters": [{"name": name, "weight": w} for name, w in weights.items()]}}


def _timeouts(rule: Object) -> Resource:
    """Without a timeout in the route there is none: an answer may stream for hours."""
    asked = (rule.get("timeouts") or {}).get("request")
    return {"timeout": durations.envoy(asked) if asked else "0s", "idle_timeout": "0s"}


def _retries(rule: Object) -> Resource:
    """Only what surely never reached the backend is sent again, to another endpoint."""
    predicate = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    retries: Resource = {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 4,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.1s"},
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": predicate}}
        ],
        "host_selection_retry_max_attempts": 3,
    }
    each = (rule.get("timeouts") or {}).get("backendRequest")
    if each:
        retries["per_try_timeout"] = durations.envoy(each)
    return retries


# Filters

_FILTERS = frozenset(
    ("URLRewrite", "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "RequestMirror")
)


def _filter(rule: Object, kind: str) -> Object | None:
    spelled = kind[0].lower() + kind[1:] if kind != "URLRewrite" else "urlRewrite"
    return next((f.get(spelled) or {} for f in rule.get("filters") or () if f.get("type") == kind), None)


def _with_path(action: Resource, rule: Object, kind: str, value: str, place: str) -> Resource:
    """The action with the changes of path that a rewrite or a redirect asks for, given what was matched."""
    rewrite = _filter(rule, "URLRewrite")
    redirect = _filter(rule, "RequestRedirect")
    change = ((rewrite if redirect is None else redirect) or {}).get("path") or {}
    changed: Resource = {}
    for replacement in ("replaceFullPath", "replacePrefixMatch"):
        if change.get(replacement):
            wellformed.path(change[replacement])
    if "replaceFullPath" in change:
        if redirect is not None:
            changed["path_redirect"] = change["replaceFullPath"]
        else:
            changed["regex_rewrite"] = _regex(".*", change["replaceFullPath"])
    elif "replacePrefixMatch" in change:
        if kind != "PathPrefix":
            raise Unsupported(f"{place}: replacePrefixMatch needs a path match of type PathPrefix")
        changed = _replaced_prefix(value.rstrip("/"), change["replacePrefixMatch"].rstrip("/"))
    if rewrite and redirect is None and rewrite.get("hostname"):
        changed["host_rewrite_literal"] = wellformed.hostname(rewrite["hostname"])
    for word in ("route", "redirect"):
        if word in action:
            return {word: {**action[word], **changed}}
    return action


def _replaced_prefix(prefix: str, replacement: str) -> Resource:
    if not prefix:
        return {"prefix_rewrite": f"{replacement}/"}
    if replacement:
        return {"prefix_rewrite": replacement}
    # A plain replacement by "/" would leave two slashes: /a/b without /a is /b and not //b.
    return {"regex_rewrite": _regex(f"^{re.escape(prefix)}/*", "/")}


def _regex(pattern: str, replacement: str) -> Resource:
    return {"pattern": {"regex": pattern}, "substitution": replacement.replace("\\", "\\\\")}


_REDIRECTS = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def _redirect(redirect: Object) -> Resource:
    code = int(redirect.get("statusCode") or 302)
    if code not in _REDIRECTS:
        raise Unsupported(f"requestRedirect.statusCode {code} is not supported: use one of {sorted(_REDIRECTS)}")
    envoy: Resource = {"response_code": _REDIRECTS[code]}
    if scheme := redirect.get("scheme"):
        envoy["scheme_redirect"] = wellformed.scheme(scheme)
    if host := redirect.get("hostname"):
        envoy["host_redirect"] = wellformed.hostname(host)
    if port := redirect.get("port"):
        envoy["port_redirect"] = wellformed.port(port)
    return envoy


def _header_changes(rule: Object) -> Resource:
    changes: Resource = {}
    for kind, side in (("RequestHeaderModifier", "request"), ("ResponseHeaderModifier", "response")):
        asked = _filter(rule, kind)
        if not asked:
            continue
        added = [*_headers(asked.get("set"), "OVERWRITE_IF_EXISTS_OR_ADD")]
        added += _headers(asked.get("add"), "APPEND_IF_EXISTS_OR_ADD")
        if added:
            changes[f"{side}_headers_to_add"] = added
        if asked.get("remove"):
            changes[f"{side}_headers_to_remove"] = [wellformed.header(name) for name in wellformed.few(asked["remove"])]
    return changes


def _headers(wanted: Iterable[Object] | None, how: str) -> list[Resource]:
    """Values are taken literally: a percent sign is no Envoy variable."""
    changes = []
    for header in wellformed.few(list(wanted or ())):
        name, value = str(header.get("name", "")), str(header.get("value", ""))
        wellformed.header(name, value)
        changes.append({"header": {"key": name, "value": value.replace("%", "%%")}, "append_action": how})
    return changes
