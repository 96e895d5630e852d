"""An adapter of metrics, as the one of Prometheus is: `external.metrics.k8s.io` and `custom.metrics.k8s.io`."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from fairway.kernel.objects.kinds import Object
from tests.cluster.api.extension_server import ExtensionServer

EXTERNAL = ("external.metrics.k8s.io", "v1beta1")
CUSTOM = ("custom.metrics.k8s.io", "v1beta2")
_ROOTS = tuple(f"/apis/{group}/{version}" for group, version in (EXTERNAL, CUSTOM))
_NOW = "2026-01-01T00:00:00Z"


@dataclass
class MetricsAdapter(ExtensionServer):
    items: dict[str, list[Object]] = field(default_factory=dict)
    """By path."""
    queries: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def external(self, name: str, *values: str) -> str:
        """The path at which the metric is in namespace default."""
        path = f"{_ROOTS[0]}/namespaces/default/{name}"
        self.items[path] = [{"metricName": name, "timestamp": _NOW, "value": value} for value in values]
        return path

    def custom(self, what: str, *said: tuple[str, str]) -> str:
        """The same, of objects; `said` is by their names."""
        path = f"{_ROOTS[1]}/namespaces/default/{what}"
        self.items[path] = [
            {"describedObject": {"name": name}, "metric": {"name": what}, "timestamp": _NOW, "value": value}
            for name, value in said
        ]
        return path

    async def reply(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in _ROOTS:
            return web.json_response({"kind": "APIResourceList", "apiVersion": "v1", "resources": []})
        self.queries.append((request.path, dict(request.query)))
        listed = {"kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": {}}
        return web.json_response({**listed, "items": self.items.get(request.path, [])})
