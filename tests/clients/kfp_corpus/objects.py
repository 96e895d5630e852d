"""Kubernetes objects that pipelines of the corpora ask for. Upstream's end-to-end tests make the same by hand."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.e2e.town import Cluster

NAMESPACE = "default"

SECRETS: Mapping[str, Mapping[str, str]] = {
    "my-secret": {"password": "psw"},
    "test-secret-1": {"username": "user1"},
    "test-secret-2": {"password": "psw1"},
    "test-secret-3": {"password": "psw2"},
}
CONFIG_MAPS: Mapping[str, Mapping[str, str]] = {"my-cm": {"foo": "bar"}}
CLAIMS = ("judge-claim",)
LABELS = {"disktype": "ssd", "cloud.google.com/gke-accelerator": "nvidia-tesla-p4"}
GPUS = {"nvidia.com/gpu": "2"}
"""Upstream's own check of scheduling pretends to have some, too."""


def create(cluster: Cluster) -> None:
    """Those that are there already are left as they are."""
    for name, data in SECRETS.items():
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        _create(cluster, "secrets", "Secret", name, data=encoded)
    for name, data in CONFIG_MAPS.items():
        _create(cluster, "configmaps", "ConfigMap", name, data=dict(data))
    for name in CLAIMS:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        _create(cluster, "persistentvolumeclaims", "PersistentVolumeClaim", name, spec=spec)
    for node in cluster.get("/api/v1/nodes")["items"]:
        _equip(cluster, node)


def _equip(cluster: Cluster, node: Mapping[str, Any]) -> None:
    """Label the node, and let it say that it has GPUs."""
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    _, current = cluster.call("GET", path)
    current["metadata"]["labels"] |= LABELS
    status, current = cluster.call("PUT", path, current)
    assert status == 200, current
    for part in ("capacity", "allocatable"):
        current["status"][part] |= GPUS
    status, answer = cluster.call("PUT", f"{path}/status", current)
    assert status == 200, answer


def _create(cluster: Cluster, plural: str, kind: str, name: str, **content: Any) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}
    status, answer = cluster.call("POST", f"/api/v1/namespaces/{NAMESPACE}/{plural}", body)
    assert status in (201, 409), answer
