"""APIServices as objects: how they are named, who keeps them, and what one says whose group version is served here."""

from __future__ import annotations

from fairway.kernel.objects.kinds import API_SERVICE, Object

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
"""The label of those that the server keeps; its value says when."""

AT_START, ALWAYS = "onstart", "true"
LOCAL = ("Available", True, "Local", "Local APIServices are always available")


def name(group: str, version: str) -> str:
    """
    >>> name("apps", "v1"), name("", "v1")
    ('v1.apps', 'v1.')
    """
    return f"{version}.{group}"


def local(group: str, version: str, group_priority: int, version_priority: int, kept: str) -> Object:
    """One that names no Service."""
    spec = {
        **({"group": group} if group else {}),
        "groupPriorityMinimum": group_priority,
        "version": version,
        "versionPriority": version_priority,
    }
    return API_SERVICE.new(name(group, version), metadata={"labels": {MANAGED: kept}}, spec=spec)
