"""From the path of a request to what it is about, as Kubernetes lays out its paths.

>>> target = parse("/apis/apps/v1/namespaces/default/deployments/web/status")
>>> target.group, target.plural, target.namespace, target.name, target.subresource
('apps', 'deployments', 'default', 'web', 'status')
>>> parse("/api/v1/namespaces/default").plural
'namespaces'
>>> parse("/version") is None
True
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_OF_NAMESPACE = ("status", "finalize")
PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Target:
    """`namespace` is empty for all namespaces and for what has none; `watch` is the old /watch/ prefix."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False


@lru_cache(maxsize=4096)
def parse(path: str) -> Target | None:
    """None where the path names no resource: discovery, health, documents."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    # What comes after `proxy` is somebody else's path.
    subresource = PROXY if rest[2:3] == [PROXY] else "/".join(rest[2:])
    return Target(group, version, rest[0], namespace, name, subresource, watch)
