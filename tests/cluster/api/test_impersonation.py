"""Acting as somebody else: for those who may, and as that somebody in everything."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, NAMESPACE, Object
from tests.cluster.api.world import World

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def who(world: World, headers: Mapping[str, str], token: str | None = None) -> tuple[int, Object]:
    code, _, body = await world.raw("POST", WHO, token=token, headers=headers, data=b"{}")
    answer = orjson.loads(body)
    return code, answer["status"]["userInfo"] if code == 201 else answer


async def test_an_administrator_acts_as_anybody(world: World) -> None:
    headers = {"Impersonate-User": "ann", "Impersonate-Group": "staff", "Impersonate-Uid": "7"}
    headers["Impersonate-Extra-Example.dev%2FScope"] = "all"
    assert await who(world, headers) == (
        201,
        {
            "username": "ann",
            "groups": ["staff", "system:authenticated"],
            "uid": "7",
            "extra": {"example.dev/scope": ["all"]},
        },
    )
    code, _, _ = await world.raw("GET", "/api/v1/pods", headers=headers)
    assert code == 403


async def test_a_service_account_has_its_groups_unless_others_are_named(world: World) -> None:
    name = {"Impersonate-User": "system:serviceaccount:default:worker"}
    groups = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert (await who(world, name))[1]["groups"] == groups
    code, _, _ = await world.raw("GET", "/api/v1/namespaces/default/pods", headers=name)
    assert code == 200
    named = {**name, "Impersonate-Group": "staff"}
    assert (await who(world, named))[1]["groups"] == ["staff", "system:authenticated"]


async def test_nobody_is_not_somebody(world: World) -> None:
    found = (await who(world, {"Impersonate-User": "system:anonymous"}))[1]
    assert found["reason"] == "Forbidden" and "system:anonymous" in found["message"]


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Impersonate-User": "bob"}, 'users "bob"'),
        ({"Impersonate-User": "ann", "Impersonate-Group": "system:masters"}, 'groups "system:masters"'),
        ({"Impersonate-User": "ann", "Impersonate-Uid": "7"}, 'uids.authentication.k8s.io "7"'),
        (
            {"Impersonate-User": "ann", "Impersonate-Extra-scope": "all"},
            'userextras.authentication.k8s.io "all"',
        ),
        (
            {"Impersonate-User": "system:serviceaccount:default:default"},
            'serviceaccounts "default"',
        ),
    ],
)
async def test_each_thing_that_is_taken_on_needs_the_verb(world: World, headers: dict[str, str], what: str) -> None:
    admin = Client(world.server.transport(Identity("admin", ("system:masters",))))
    rule = {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["ann"]}
    await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("as-ann", rules=[rule]))
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": "as-ann"}
    subjects = [{"kind": "User", "name": "eve"}]
    await admin.create(CLUSTER_ROLE_BINDING, CLUSTER_ROLE_BINDING.new("as-ann", subjects=subjects, roleRef=reference))
    eve = world.token("eve", ())
    assert (await who(world, {"Impersonate-User": "ann"}, eve))[1]["username"] == "ann"
    code, answer = await who(world, headers, eve)
    assert code == 403
    assert answer["message"].startswith(f'{what} is forbidden: User "eve" cannot impersonate resource')


async def test_a_workload_acts_as_its_own_namespace_only(world: World) -> None:
    admin = Client(world.server.transport(Identity("admin", ("system:masters",))))
    await admin.create(NAMESPACE, NAMESPACE.new("other"))
    worker = world.token("system:serviceaccount:default:worker", ())
    own = {"Impersonate-User": "system:serviceaccount:default:another"}
    assert (await who(world, own, worker))[1]["username"] == own["Impersonate-User"]
    for headers in (
        {"Impersonate-User": "system:serviceaccount:other:default"},
        {"Impersonate-User": "ann"},
        {**own, "Impersonate-Group": "system:masters"},
    ):
        assert (await who(world, headers, worker))[0] == 403
