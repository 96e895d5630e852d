"""Envoy's first configuration: the public listener with its filters, and where to watch for the rest. Pure.

The public listener is part of it, and not of what changes, so that a taken port is known at the start.
Tokens are checked here, in Envoy, with the API's public keys: no call goes back for a request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from fairway.cluster.network import guards, limits
from fairway.cluster.network.config import AUDIENCE, NetworkConfig
from fairway.cluster.network.guards import JWT_FILTER, Resource
from fairway.cluster.network.render import watched

ADMIN_SOCKET = "admin.sock"
_NETWORK = "type.googleapis.com/envoy.extensions.filters.network"
_HTTP = "type.googleapis.com/envoy.extensions.filters.http"
_SAID = "%LOCAL_REPLY_BODY%"
_REPLIES = (
    ("EQ", 401, "invalid_request_error", ": send 'Authorization: Bearer TOKEN'; `fairway token` prints a token"),
    ("EQ", 403, "invalid_request_error", ": this token does not open this: an endpoint token opens its endpoint"),
    ("EQ", 429, "rate_limit_error", ": more requests than this service takes; try again in a moment"),
    ("EQ", 503, "server_error", ": no ready pod answered (%RESPONSE_FLAGS%); see the pods of this service"),
    ("GE", 500, "server_error", ""),
)
"""Of which status, OpenAI's word for it, and how the sentence goes on."""
_OPENAI = r"[^?]*(/openai/v1/[^?]*|/v1/(chat/completions|completions|embeddings|rerank)/*)(\?.*)?"
"""The paths of OpenAI's endpoints, wherever they begin."""


def bootstrap(config: NetworkConfig) -> Resource:
    return {
        "node": {"id": "fairway", "cluster": "fairway"},
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": watched("./clusters.json"), "lds_config": watched("./listeners.json")},
        "static_resources": {"listeners": [_public(config)]},
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "watchdogs": {"main_thread_watchdog": _watchdog(), "worker_watchdog": _watchdog()},
        "stats_flush_on_admin": True,
    }


def _watchdog() -> Resource:
    """By its defaults each of Envoy's threads says ten times a second that it goes on, which nobody reads here."""
    return {"miss_timeout": "60s", "megamiss_timeout": "120s"}


def _connection_limit() -> Resource:
    kind = "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3"
    typed = {"@type": f"{kind}.DownstreamConnectionsConfig", "max_active_downstream_connections": 50_000}
    return {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": typed}


def _public(config: NetworkConfig) -> Resource:
    router = {"name": "envoy.filters.http.router", "typed_config": _filter("router", "Router")}
    manager = {
        "@type": f"{_NETWORK}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "codec_type": "AUTO",  # HTTP/1.1 and HTTP/2 without TLS, told apart by the first bytes
        "rds": {"route_config_name": "public", "config_source": watched("./routes.json")},
        "http_filters": [_tokens(config), guards.rbac(), _limits(), router],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "use_remote_address": True,
        "normalize_path": True,
        "server_header_transformation": "PASS_THROUGH",
        "generate_request_id": False,
        "stream_idle_timeout": "0s",
        "request_headers_timeout": "30s",
        "local_reply_config": _local_replies(),
    }
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "name": "public",
        "address": {"socket_address": {"address": config.host, "port_value": config.port}},
        "filter_chains": [{"filters": [network_filter]}],
        # One socket for all threads: a second Envoy on the same port must fail and not share it.
        "enable_reuse_port": False,
    }


def _tokens(config: NetworkConfig) -> Resource:
    checks = guards.jwt(config.issuer, json.dumps(config.jwks), AUDIENCE)
    return {"name": JWT_FILTER, "typed_config": _filter("jwt_authn", "JwtAuthentication") | checks}


def _limits() -> Resource:
    """It is no part of what is fixed at the start: limits come and go with routes."""
    kinds = ["type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"]
    return {
        "name": limits.FILTER,
        "config_discovery": {"config_source": watched(f"./{limits.FILE}"), "type_urls": kinds},
    }


def _filter(name: str, kind: str) -> Resource:
    return {"@type": f"{_HTTP}.{name}.v3.{kind}"}


def _local_replies() -> Resource:
    """What Envoy itself answers is JSON with a sentence, as every error of the house, and in OpenAI's shape where its
    clients ask. The first that fits is taken."""
    return {
        "mappers": [mapper for reply in _REPLIES for mapper in _reply(*reply)],
        "body_format": {"json_format": {"error": _SAID}},
    }


def _reply(op: str, status: int, kind: str, more: str) -> Iterator[Resource]:
    sentence = _SAID + more
    comparison = {"op": op, "value": {"default_value": status, "runtime_key": "unused"}}
    by_status = {"status_code_filter": {"comparison": comparison}}
    by_path = {"header_filter": {"header": {"name": ":path", "string_match": {"safe_regex": {"regex": _OPENAI}}}}}
    for_openai = {"message": sentence, "type": kind, "param": None, "code": None}
    yield {
        "filter": {"and_filter": {"filters": [by_status, by_path]}},
        "body_format_override": {"json_format": {"error": for_openai}},
    }
    yield {"filter": by_status, "body_format_override": {"json_format": {"error": sentence}}}
