"""A door before the gateway that adds the owner's token: upstream's tests send none, and here every request needs one.

It is an Envoy of its own, because HTTP/1.1 and gRPC come to one port, and go on as what they are.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fairway.cluster.network.envoy import executable

_HTTP = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_NETWORK = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@contextmanager
def opened(folder: Path, port: int, gateway: int, token: str) -> Iterator[str]:
    """Gives its address, as KSERVE_INGRESS_HOST_PORT wants it."""
    file = folder / "doorway.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(_bootstrap(port, gateway, token)))
    command = [executable(), "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    with (folder / "doorway.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("the door before the gateway does not open: see doorway.log")


def _bootstrap(port: int, gateway: int, token: str) -> dict[str, Any]:
    header = {
        "header": {"key": "authorization", "value": f"Bearer {token}"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "gateway", "timeout": "0s"}}
    host = {"name": "all", "domains": ["*"], "routes": [route], "request_headers_to_add": [header]}
    manager = {
        "@type": _NETWORK,
        "stat_prefix": "doorway",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _HTTP}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    protocols = {"http_protocol_options": {}, "http2_protocol_options": {}}
    typed = {"@type": f"type.googleapis.com/{_OPTIONS}", "use_downstream_protocol_config": protocols}
    endpoint = {"endpoint": {"address": _address(gateway)}}
    cluster = {
        "name": "gateway",
        "type": "STATIC",
        "typed_extension_protocol_options": {_OPTIONS: typed},
        "load_assignment": {"cluster_name": "gateway", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "doorway", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
