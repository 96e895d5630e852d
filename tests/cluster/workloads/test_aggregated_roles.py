"""Roles that are put together from others follow their parts; so does what workloads may do with custom resources."""

from __future__ import annotations

from pretend_cluster import Here

from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CRD, Kind, Object

PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
NODES = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
WIDGET = CustomKind(Kind("example.dev", "v1", "Widget", "widgets"), {"spec": {"type": "object"}})


def part(name: str, *rules: Object) -> Object:
    return CLUSTER_ROLE.new(name, metadata={"labels": {"part-of": "whole"}}, rules=list(rules))


async def test_a_role_has_what_its_parts_have_and_nothing_else(here: Here) -> None:
    selector = {"clusterRoleSelectors": [{"matchLabels": {"part-of": "whole"}}]}
    await here.client.create(CLUSTER_ROLE, part("b", NODES))
    await here.client.create(CLUSTER_ROLE, CLUSTER_ROLE.new("whole", aggregationRule=selector, rules=[PODS]))
    await here.until(CLUSTER_ROLE, "whole", lambda role: role["rules"] == [NODES], None)
    await here.client.create(CLUSTER_ROLE, part("a", PODS, NODES))
    await here.until(CLUSTER_ROLE, "whole", lambda role: role["rules"] == [PODS, NODES], None)
    await here.client.delete(CLUSTER_ROLE, "a")
    await here.until(CLUSTER_ROLE, "whole", lambda role: role["rules"] == [NODES], None)


async def test_edit_has_what_an_operator_adds_to_view(here: Here) -> None:
    widgets = {"apiGroups": ["example.dev"], "resources": ["widgets"], "verbs": ["get"]}
    labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    await here.client.create(CLUSTER_ROLE, CLUSTER_ROLE.new("ours", metadata={"labels": labels}, rules=[widgets]))
    for role in ("view", "edit", "admin"):
        await here.until(CLUSTER_ROLE, role, lambda role: widgets in role["rules"], None)


async def test_workloads_may_use_custom_resources_once_they_are_defined(here: Here) -> None:
    def groups(role: Object) -> set[str]:
        return {group for rule in role["rules"] for group in rule["apiGroups"]}

    await here.client.create(CRD, WIDGET.definition())
    await here.until(CLUSTER_ROLE, "fairway:workloads", lambda role: "example.dev" in groups(role), None)
    await here.client.delete(CRD, "widgets.example.dev")
    await here.until(CLUSTER_ROLE, "fairway:workloads", lambda role: "example.dev" not in groups(role), None)
