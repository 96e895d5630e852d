"""What the network is told by `up`, and the names by which others know its gateway."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTROLLER = "fairway.dev/gateway"
GATEWAY_NAME, GATEWAY_NAMESPACE, LISTENER = "fairway", "fairway-system", "http"
AUDIENCE = "fairway"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class NetworkConfig:
    host: str
    port: int
    """Where the one public listener is."""
    front: tuple[str, int]
    """Where requests go that no HTTPRoute matches."""
    run_dir: Path
    """A folder of ours for Envoy's files, its admin socket and its log; made with mode 0700."""
    jwks: dict[str, Any]
    """The public keys of the API server's tokens."""
    issuer: str
    preload: Path | None = None
    """The library that keeps other users of this machine away from loopback ports, where there is one."""
    front_paths: tuple[str, ...] = ()
    """The beginnings of what the front door serves, which no HTTPRoute without host names takes from it."""
    front_names: tuple[str, ...] = LOOPBACK
    """Host names of the front door, which no HTTPRoute takes."""
    auth: bool = True
    """Whether requests that match an HTTPRoute need a token. A route opts out with the annotation
    `fairway.dev/auth: "none"`."""
