"""The columns of roles and bindings: when they came, whom they concern."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.cluster.api.printing.columns import AGE, NAME, WIDE, Column, at, value
from fairway.kernel.objects.kinds import Object


def _role_of(obj: Object, now: float) -> str:
    return f"{value(obj, 'roleRef.kind')}/{value(obj, 'roleRef.name')}"


def _subjects(kind: str) -> Column:
    def cell(obj: Object, now: float) -> str:
        found = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
        within = kind == "ServiceAccount"
        return ", ".join(f"{each.get('namespace', '')}/{each['name']}" if within else each["name"] for each in found)

    return Column(f"{kind}s", cell, priority=WIDE)


_CREATED = Column("Created At", at("metadata.creationTimestamp"), type="date")
_BINDING = (NAME, Column("Role", _role_of), AGE, _subjects("User"), _subjects("Group"), _subjects("ServiceAccount"))

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "roles.rbac.authorization.k8s.io": (NAME, _CREATED),
    "clusterroles.rbac.authorization.k8s.io": (NAME, _CREATED),
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
}
