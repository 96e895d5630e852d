"""Envoy's first configuration: the public listener with its filters, and where to watch for the rest. Pure.

The public listener is part of it, and not of what changes, so that a taken port is known at the start.
Tokens are checked here, in Envoy, with the API's public keys: no call goes back for a request.
"""

from __future__ import annotations

import json
from typing import Any

from fairway.cluster.network.config import AUDIENCE, NetworkConfig
from fairway.cluster.network.render import watched
from fairway.cluster.network.routes import JWT_FILTER, OPEN_TO_ALL

Resource = dict[str, Any]

ADMIN_SOCKET = "admin.sock"
_NETWORK = "type.googleapis.com/envoy.extensions.filters.network"
_HTTP = "type.googleapis.com/envoy.extensions.filters.http"


def bootstrap(config: NetworkConfig) -> Resource:
    return {
        "node": {"id": "fairway", "cluster": "fairway"},
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": watched("./clusters.json"), "lds_config": watched("./listeners.json")},
        "static_resources": {"listeners": [_public(config)]},
        "overload_manager": {"resource_monitors": [_connection_limit()]},
    }


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
        "http_filters": [_tokens(config), router],
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
    """Every request needs a token, unless its route says that it needs none (see `routes.OPEN_TO_ALL`)."""
    provider = {
        "issuer": config.issuer,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": json.dumps(config.jwks)},
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "forward": False,  # a model's pod has no business with its callers' tokens
        "require_expiration": True,
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "api"}}]
    # Also where no token is needed, a valid one is taken off the request: a pod could use it as its caller.
    optional = {"requires_any": {"requirements": [{"provider_name": "api"}, {"allow_missing_or_failed": {}}]}}
    typed = _filter("jwt_authn", "JwtAuthentication") | {
        "providers": {"api": provider},
        "rules": rules,
        "requirement_map": {OPEN_TO_ALL: optional},
    }
    return {"name": JWT_FILTER, "typed_config": typed}


def _filter(name: str, kind: str) -> Resource:
    return {"@type": f"{_HTTP}.{name}.v3.{kind}"}


def _local_replies() -> Resource:
    """What Envoy itself answers is JSON with a sentence, as every error of the house."""
    return {
        "mappers": [
            _reply(401, "%LOCAL_REPLY_BODY%: send 'Authorization: Bearer TOKEN'; `fairway token` prints a token"),
            _reply(503, "%LOCAL_REPLY_BODY%: no ready pod answered (%RESPONSE_FLAGS%); see the pods of this service"),
        ],
        "body_format": {"json_format": {"error": "%LOCAL_REPLY_BODY%"}},
    }


def _reply(status: int, text: str) -> Resource:
    comparison = {"op": "EQ", "value": {"default_value": status, "runtime_key": "unused"}}
    return {
        "filter": {"status_code_filter": {"comparison": comparison}},
        "body_format_override": {"json_format": {"error": text}},
    }
