"""view and edit know the kinds of features, so that people who are let in can use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import CLUSTER_ROLE, ROLE_BINDING, Kind, Object
from fairway.testing.cluster import cluster
from fairway.up import roles

THING = Kind("example.dev", "v1", "Thing", "things")
WIDE = Kind("example.dev", "v1", "WideThing", "widethings", namespaced=False)
KINDS = tuple(CustomKind(kind, {"spec": {"type": "object"}}) for kind in (THING, WIDE))


async def test_people_with_edit_may_use_our_kinds_and_with_view_see_them(tmp_path: Path) -> None:
    async with cluster(tmp_path, kinds=KINDS) as here:
        await roles.keep(here.client, KINDS)
        before = await here.client.get(CLUSTER_ROLE, "fairway:features:edit")
        await roles.keep(here.client, KINDS)
        assert await here.client.get(CLUSTER_ROLE, "fairway:features:edit") == before
        await here.client.wait(CLUSTER_ROLE, "edit", None, knows_things, timeout=60)
        for role in ("edit", "view"):
            await bind(here.client, role)
        await here.client_as("edit-user").create(THING, THING.new("t", "default", spec={}))
        viewer = here.client_as("view-user")
        assert await viewer.get(THING, "t", "default")
        with pytest.raises(errors.Forbidden):
            await viewer.delete(THING, "t", "default")
        with pytest.raises(errors.Forbidden):
            await here.client_as("edit-user").create(WIDE, WIDE.new("t", spec={}))


def knows_things(role: Object | None) -> bool:
    """Both parts have arrived: edit holds what view has, too."""
    verbs = {
        verb
        for each in (role or {}).get("rules", ())
        if "example.dev" in each.get("apiGroups", ())
        for verb in each["verbs"]
    }
    return {"create", "get"} <= verbs


async def bind(client: Client, role: str) -> None:
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": role}
    subjects = [{"kind": "User", "name": f"{role}-user"}]
    await client.create(ROLE_BINDING, ROLE_BINDING.new(role, "default", subjects=subjects, roleRef=reference))
