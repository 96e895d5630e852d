"""In which order groups are listed, and the versions of a group: upstream's numbers, the larger first."""

from __future__ import annotations

from typing import NamedTuple


class Priority(NamedTuple):
    group: int
    version: int


_GROUPS = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "metrics.k8s.io": 100,
}
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("metrics.k8s.io", "v1beta1"): 100}
_BUILT_IN_VERSION = 15
CUSTOM = Priority(1000, 100)
OWN = ("apiregistration.k8s.io", "v1")
"""The group of APIServices itself: it has none, and comes first."""


def is_built_in(group: str) -> bool:
    return group == OWN[0] or group in _GROUPS


def built_in(group: str, version: str) -> Priority:
    if (group, version) == OWN:
        return Priority(20000, 100)
    return Priority(_GROUPS.get(group, CUSTOM.group), _VERSIONS.get((group, version), _BUILT_IN_VERSION))
