"""What people with the roles `view` and `edit` may do with our own kinds: on one machine, where the roles are ours.

A feature's kind is a custom resource, which upstream's roles do not know. On somebody else's cluster its administrator
says who may do what.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import CLUSTER_ROLE, Object

log = logging.getLogger(__name__)

_LABEL = "rbac.authorization.k8s.io/aggregate-to-"
_VERBS = {
    "view": ("get", "list", "watch"),
    "edit": ("create", "delete", "deletecollection", "patch", "update"),
}


async def keep(client: Client, kinds: Iterable[CustomKind]) -> None:
    """Write the parts of the two roles where they are not as they should be."""
    kinds = tuple(kinds)
    for role in parts(kinds):
        name = role["metadata"]["name"]
        found = await client.find(CLUSTER_ROLE, name)
        try:
            if found is None:
                await client.create(CLUSTER_ROLE, role)
            elif found.get("rules") != role["rules"]:
                await client.patch(CLUSTER_ROLE, name, None, {"rules": role["rules"]})
        except errors.ApiError as problem:
            log.warning("the ClusterRole %s is not as it should be until the next start: %s", name, problem)


def parts(kinds: Iterable[CustomKind]) -> list[Object]:
    by_group: dict[str, set[str]] = {}
    for custom in kinds:
        if custom.kind.namespaced:
            by_group.setdefault(custom.kind.group, set()).add(custom.kind.plural)
    made = []
    for role, verbs in _VERBS.items():
        status = ("", "/status") if role == "view" else ("",)
        rules = [
            {
                "apiGroups": [group],
                "resources": sorted(each + end for each in names for end in status),
                "verbs": [*verbs],
            }
            for group, names in sorted(by_group.items())
        ]
        labels = {f"{_LABEL}{role}": "true"}
        made.append(CLUSTER_ROLE.new(f"fairway:features:{role}", metadata={"labels": labels}, rules=rules))
    return made
