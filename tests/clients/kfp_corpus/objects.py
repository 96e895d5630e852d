"""Kubernetes objects that pipelines of the corpora ask for. Upstream's end-to-end tests make the same by hand."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.e2e.town import Cluster

NAMESPACE = "default"

SECRETS: Mapping[str, Mapping[str, str]] = {
    "test-secret-1": {"username": "user1"},
    "test-secret-2": {"password": "psw1"},
    "test-secret-3": {"password": "psw2"},
}


def create(cluster: Cluster) -> None:
    """Those that are there already are left as they are."""
    for name, data in SECRETS.items():
        _create(cluster, "/api/v1", "secrets", _secret(name, data))


def _secret(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def _create(cluster: Cluster, group: str, plural: str, body: dict[str, Any]) -> None:
    status, answer = cluster.call("POST", f"{group}/namespaces/{NAMESPACE}/{plural}", body)
    assert status in (201, 409), answer
