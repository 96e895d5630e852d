"""Roles and bindings: who may do what by them, at once; what is wrong with them; nobody gives what they have not."""

from __future__ import annotations

import orjson
import pytest

from fairway.cluster.api.authorizing import own_namespace
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.identity import authentication
from fairway.cluster.api.patches import APPLY_PATCH
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import JSON
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    DEPLOYMENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    POD,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE_ACCOUNT,
    Kind,
    Object,
)
from tests.cluster.api.world import World, pod

GROUP = "rbac.authorization.k8s.io"
ANN = {"kind": "User", "name": "ann"}
RULES = Kind("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", False)
MY_ACCESS = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False)
ACCESS = Kind("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", False)
LOCAL_ACCESS = Kind("authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews")


def someone(world: World, user: str = "ann", *groups: str) -> Client:
    return Client(world.server.transport(Identity(user, groups)))


@pytest.fixture
def admin(world: World) -> Client:
    return someone(world, "admin", "system:masters")


def rule(verbs: str, resources: str, group: str = "", **more: object) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **more}


async def bind(admin: Client, role: str, *subjects: Object, kind: Kind = ROLE, name: str = "") -> Object:
    """A binding in default of a role of that name; of a ClusterRole, where `kind` says so."""
    reference = {"apiGroup": GROUP, "kind": kind.kind, "name": role}
    binding = ROLE_BINDING.new(name or role, "default", subjects=list(subjects), roleRef=reference)
    return await admin.create(ROLE_BINDING, binding)


async def allow(admin: Client, *rules: Object, name: str = "some", to: Object = ANN) -> None:
    await admin.create(ROLE, ROLE.new(name, "default", rules=list(rules)))
    await bind(admin, name, to)


async def bind_all(admin: Client, role: str, *subjects: Object) -> Object:
    reference = {"apiGroup": GROUP, "kind": CLUSTER_ROLE.kind, "name": role}
    binding = CLUSTER_ROLE_BINDING.new(f"{role}-all", subjects=list(subjects), roleRef=reference)
    return await admin.create(CLUSTER_ROLE_BINDING, binding)


async def test_a_role_counts_from_when_its_binding_is_stored_until_it_is_gone(world: World, admin: Client) -> None:
    ann = someone(world)
    with pytest.raises(errors.Forbidden):
        await ann.list(POD, "default")
    await allow(admin, rule("get list", "pods"))
    assert (await ann.list(POD, "default")).items == []
    for refused in (
        ann.list(POD),
        ann.list(POD, "kube-system"),
        ann.list(SECRET, "default"),
        ann.create(POD, pod("p")),
    ):
        with pytest.raises(errors.Forbidden):
            await refused
    await admin.patch(ROLE, "some", "default", {"rules": [rule("create", "pods")]})
    await ann.create(POD, pod("p"))
    with pytest.raises(errors.Forbidden):
        await ann.get(POD, "p", "default")
    await admin.delete(ROLE_BINDING, "some", "default")
    with pytest.raises(errors.Forbidden):
        await ann.create(POD, pod("q"))


@pytest.mark.parametrize(
    "subject",
    [
        ANN,
        {"kind": "Group", "name": "staff"},
        {"kind": "Group", "name": "system:authenticated"},
    ],
)
async def test_subjects_are_users_and_groups(world: World, admin: Client, subject: Object) -> None:
    await allow(admin, rule("list", "pods"), to=subject)
    assert (await someone(world, "ann", "staff").list(POD, "default")).items == []


async def test_a_service_account_may_have_a_role_in_another_namespace(world: World, admin: Client) -> None:
    await admin.create(NAMESPACE, NAMESPACE.new("team"))
    worker = someone(world, "system:serviceaccount:team:worker")
    with pytest.raises(errors.Forbidden):
        await worker.list(POD, "default")
    await allow(admin, rule("list", "pods"), to={"kind": "ServiceAccount", "name": "worker", "namespace": "team"})
    assert (await worker.list(POD, "default")).items == []


async def test_a_cluster_role_counts_where_it_is_bound(world: World, admin: Client) -> None:
    await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("reader", rules=[rule("list", "pods nodes")]))
    await bind(admin, "reader", ANN, kind=CLUSTER_ROLE)
    ann = someone(world)
    assert (await ann.list(POD, "default")).items == []
    for refused in (ann.list(POD), ann.list(NODE)):
        with pytest.raises(errors.Forbidden):
            await refused
    await bind_all(admin, "reader", ANN)
    assert ((await ann.list(POD)).items, (await ann.list(NODE)).items) == ([], [])


async def test_names_subresources_and_wildcards(world: World, admin: Client) -> None:
    await allow(
        admin,
        rule("get", "configmaps", resourceNames=["mine"]),
        rule("get", "pods/log"),
        rule("patch", "*/scale", "*"),
        rule("create", "configmaps", resourceNames=["mine"]),
    )
    ann = someone(world)
    for name in ("mine", "yours"):
        await admin.create(CONFIG_MAP, CONFIG_MAP.new(name, "default"))
    assert await ann.get(CONFIG_MAP, "mine", "default")
    for refused in (
        ann.get(CONFIG_MAP, "yours", "default"),
        ann.list(CONFIG_MAP, "default"),
        ann.get(POD, "p", "default"),
        ann.create(CONFIG_MAP, CONFIG_MAP.new("mine", "default")),  # the path of a creation names nothing
    ):
        with pytest.raises(errors.Forbidden):
            await refused
    with pytest.raises(errors.NotFound):
        await ann.transport.request("PATCH", DEPLOYMENT.path("default", "web", "scale"), body={})


async def test_paths_that_are_no_resources(world: World, admin: Client) -> None:
    ann = someone(world)
    assert await ann.transport.request("GET", "/apis/apps/v1")
    with pytest.raises(errors.Forbidden) as caught:
        await ann.transport.request("GET", "/openid/v1/jwks")
    assert caught.value.message == 'forbidden: User "ann" cannot get path "/openid/v1/jwks"'
    urls = {"nonResourceURLs": ["/openid/*"], "verbs": ["get"]}
    await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("keys", rules=[urls]))
    await bind_all(admin, "keys", ANN)
    assert await ann.transport.request("GET", "/openid/v1/jwks")


async def test_a_binding_of_no_role_gives_nothing_and_says_so(world: World, admin: Client) -> None:
    await bind(admin, "absent", ANN)
    with pytest.raises(errors.Forbidden) as caught:
        await someone(world).get(POD, "p", "default")
    text = (
        'pods "p" is forbidden: User "ann" cannot get resource "pods" in API group "" in the namespace "default": '
        'RBAC: roles.rbac.authorization.k8s.io "absent" not found'
    )
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        (ROLE, {"rules": [{"apiGroups": [""], "resources": ["pods"]}]}, "rules[0].verbs: Required value"),
        (ROLE, {"rules": [rule("get", "")]}, "rules[0].resources: Required value: resource rules must supply at least"),
        (ROLE, {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}, "namespaced rules cannot apply to non-"),
        (CLUSTER_ROLE, {"aggregationRule": {}}, "at least one clusterRoleSelector required"),
        (ROLE_BINDING, {"roleRef": {"kind": "Job", "name": "x"}}, 'roleRef.kind: Unsupported value: "Job"'),
        (
            CLUSTER_ROLE_BINDING,
            {"roleRef": {"kind": "ClusterRole", "name": "x"}, "subjects": [{"kind": "ServiceAccount", "name": "a"}]},
            "subjects[0].namespace: Required value",
        ),
        (
            ROLE_BINDING,
            {"roleRef": {"kind": "Role", "name": "x"}, "subjects": [{"kind": "Robot", "name": "a"}]},
            'subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
        ),
    ],
)
async def test_what_is_wrong_is_named(admin: Client, kind: Kind, fields: Object, problem: str) -> None:
    with pytest.raises((errors.Invalid, errors.BadRequest)) as caught:
        await admin.create(kind, kind.new("wrong", "default" if kind.namespaced else None, **fields))
    assert problem in caught.value.message


async def test_a_binding_keeps_its_role(admin: Client) -> None:
    await bind(admin, "one", ANN)
    with pytest.raises(errors.Invalid, match="cannot change roleRef"):
        await admin.patch(ROLE_BINDING, "one", "default", {"roleRef": {"name": "two"}})


async def test_names_may_have_colons_and_put_creates(admin: Client) -> None:
    role = CLUSTER_ROLE.new("team:Reader", rules=[rule("get", "pods")])
    path = CLUSTER_ROLE.path(name="team:Reader")
    assert (await admin.transport.request("PUT", path, body=role))["metadata"]["uid"]
    with pytest.raises(errors.Invalid, match="may not contain '/'"):
        await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("a/b"))


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_who_may_only_change_what_is_there_makes_nothing(world: World, admin: Client, method: str) -> None:
    await allow(admin, rule("update patch", "limitranges"))
    path, limits = LIMIT_RANGE.path("default", "l"), [{"type": "Pod", "max": {"cpu": "1"}}]

    async def write() -> Object:
        media = JSON if method == "PUT" else APPLY_PATCH
        query = {"fieldManager": "me"}
        body = LIMIT_RANGE.new("l", "default", spec={"limits": limits})
        return await someone(world).transport.request(method, path, query=query, body=body, content_type=media)

    with pytest.raises(errors.Forbidden, match='cannot create resource "limitranges"'):
        await write()
    await allow(admin, rule("create", "limitranges"), name="maker")
    assert (await write())["metadata"]["uid"]


# Nobody gives what they have not


async def test_nobody_gives_what_they_have_not(world: World, admin: Client) -> None:
    await allow(admin, rule("create get patch", "roles", GROUP), rule("get list", "pods"))
    ann = someone(world)
    await ann.create(ROLE, ROLE.new("same", "default", rules=[rule("list", "pods", resourceNames=["a"])]))
    with pytest.raises(errors.Forbidden) as caught:
        await ann.create(ROLE, ROLE.new("more", "default", rules=[rule("get delete", "pods secrets")]))
    assert caught.value.message == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "ann" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["delete" "get"]}'
    )
    with pytest.raises(errors.Forbidden, match="not currently held"):
        await ann.patch(ROLE, "same", "default", {"rules": [rule("list", "secrets")]})
    await ann.patch(ROLE, "same", "default", {"metadata": {"labels": {"a": "b"}}})


async def test_the_verb_escalate_is_the_exception_for_roles(world: World, admin: Client) -> None:
    await allow(admin, rule("create escalate", "roles", GROUP))
    await someone(world).create(ROLE, ROLE.new("more", "default", rules=[rule("get", "secrets")]))


async def test_the_verb_bind_is_the_exception_for_bindings(world: World, admin: Client) -> None:
    await allow(
        admin, rule("create", "rolebindings", GROUP), rule("bind", "clusterroles", GROUP, resourceNames=["view"])
    )
    ann = someone(world)
    await bind(ann, "view", {"kind": "User", "name": "bob"}, kind=CLUSTER_ROLE)
    with pytest.raises(errors.Forbidden, match="not currently held"):
        await bind(ann, "edit", {"kind": "User", "name": "bob"}, kind=CLUSTER_ROLE)
    with pytest.raises(errors.NotFound):
        await bind(ann, "absent", {"kind": "User", "name": "bob"})


async def test_an_aggregated_role_needs_everything(world: World, admin: Client) -> None:
    await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("writer", rules=[rule("create", "clusterroles", GROUP)]))
    await bind_all(admin, "writer", ANN)
    aggregated = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    with pytest.raises(errors.Forbidden, match="not currently held"):
        await someone(world).create(CLUSTER_ROLE, CLUSTER_ROLE.new("all", aggregationRule=aggregated))


# The rule of the house


async def test_a_label_ends_the_rule_of_the_house(world: World, admin: Client) -> None:
    worker = someone(world, "system:serviceaccount:team:worker")
    await admin.create(NAMESPACE, NAMESPACE.new("team"))
    await worker.create(CONFIG_MAP, CONFIG_MAP.new("mine", "team"))
    await admin.patch(NAMESPACE, "team", None, {"metadata": {"labels": {"fairway.dev/service-accounts": "roles-only"}}})
    with pytest.raises(errors.Forbidden):
        await worker.get(CONFIG_MAP, "mine", "team")
    assert await worker.transport.request("GET", "/apis")


async def test_a_setting_ends_it_where_no_label_says_otherwise(world: World, admin: Client) -> None:
    await admin.create(NAMESPACE, NAMESPACE.new("open", metadata={"labels": {own_namespace.LABEL: "own-namespace"}}))
    grants = Grants(world.store, service_accounts=own_namespace.ROLES_ONLY)
    for namespace, expected in (("default", False), ("open", True)):
        worker = authentication.authenticated(Identity(f"system:serviceaccount:{namespace}:worker"))
        assert grants.allowed(worker, Attempt("list", resource="pods", namespace=namespace)) is expected


async def test_workloads_do_not_move_their_bounds(world: World, admin: Client) -> None:
    worker = someone(world, "system:serviceaccount:default:worker")
    allowed = {
        (verb, resource): (
            await worker.create(
                MY_ACCESS,
                {"spec": {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": "default"}}},
            )
        )["status"]["allowed"]
        for verb in ("get", "patch", "delete")
        for resource in ("namespaces", "resourcequotas", "limitranges", "pods", "secrets")
    }
    assert {key for key, yes in allowed.items() if not yes} == {
        (verb, resource) for verb in ("patch", "delete") for resource in ("namespaces", "resourcequotas", "limitranges")
    }
    await admin.create(ROLE, ROLE.new("quotas", "default", rules=[rule("delete", "resourcequotas")]))
    with pytest.raises(errors.Forbidden, match="not currently held"):
        await bind(worker, "quotas", {"kind": "ServiceAccount", "name": "worker"})


# Questions


async def test_what_may_i_do(world: World, admin: Client) -> None:
    await allow(admin, rule("get", "pods"))
    status = (await someone(world).create(RULES, {"spec": {"namespace": "default"}}))["status"]
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} in status["resourceRules"]
    assert any("/apis" in each["nonResourceURLs"] for each in status["nonResourceRules"])
    assert status["incomplete"] is False
    worker = someone(world, "system:serviceaccount:default:worker")
    rules = (await worker.create(RULES, {"spec": {"namespace": "default"}}))["status"]["resourceRules"]
    assert any("pods" in each["resources"] and each["verbs"] == ["*"] for each in rules)
    rules = (await admin.create(RULES, {"spec": {"namespace": "default"}}))["status"]["resourceRules"]
    assert rules == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


async def test_what_may_somebody_else_do(world: World, admin: Client) -> None:
    await allow(admin, rule("get", "pods"))
    wanted = {"verb": "get", "resource": "pods", "namespace": "default"}
    answer = await admin.create(ACCESS, {"spec": {"user": "ann", "resourceAttributes": wanted}})
    reason = 'RBAC: allowed by RoleBinding "some/default" of Role "some" to User "ann"'
    assert answer["status"] == {"allowed": True, "reason": reason}
    path = LOCAL_ACCESS.path("default")
    body = {"spec": {"user": "bob", "resourceAttributes": wanted}}
    assert (await admin.transport.request("POST", path, body=body))["status"] == {"allowed": False}
    with pytest.raises(errors.Invalid, match="must match metadata"):
        await admin.transport.request("POST", LOCAL_ACCESS.path("kube-system"), body=body)
    for spec in ({"user": "ann"}, {"resourceAttributes": wanted}):
        with pytest.raises(errors.Invalid):
            await admin.create(ACCESS, {"spec": spec})
    with pytest.raises(errors.Forbidden):
        await someone(world).create(ACCESS, {"spec": {"user": "bob", "resourceAttributes": wanted}})


async def test_the_first_roles_are_there_and_come_back(world: World, admin: Client) -> None:
    names = {role["metadata"]["name"] for role in (await admin.list(CLUSTER_ROLE)).items}
    assert {"cluster-admin", "admin", "edit", "view", "system:discovery", "fairway:workloads"} <= names
    edit = await admin.get(CLUSTER_ROLE, "edit")
    assert any("pods" in each["resources"] and "create" in each["verbs"] for each in edit["rules"])
    assert any("pods/log" in each["resources"] for each in edit["rules"])


async def test_tables_of_roles(world: World, admin: Client) -> None:
    await allow(admin, rule("get", "pods"))
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    _, _, body = await world.raw("GET", ROLE_BINDING.path("default"), headers=headers)
    table = orjson.loads(body)
    assert [each["name"] for each in table["columnDefinitions"]] == [
        "Name",
        "Role",
        "Age",
        "Users",
        "Groups",
        "ServiceAccounts",
    ]
    assert table["rows"][0]["cells"][:2] == ["some", "Role/some"]
    assert table["rows"][0]["cells"][3:] == ["ann", "", ""]


async def test_the_token_of_a_deleted_account_has_no_rights_left(world: World, admin: Client) -> None:
    await admin.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("worker", "default"))
    answer = await admin.transport.request(
        "POST", SERVICE_ACCOUNT.path("default", "worker", "token"), body={"spec": {}}
    )
    token = answer["status"]["token"]
    assert (await world.raw("GET", "/api/v1/namespaces/default/pods", token=token))[0] == 200
    await admin.delete(SERVICE_ACCOUNT, "worker", "default")
    assert (await world.raw("GET", "/api/v1/namespaces/default/pods", token=token))[0] == 401


async def test_who_may_read_one_object_may_ask_for_it_by_its_name(world: World, admin: Client) -> None:
    await allow(admin, rule("get list watch", "configmaps", resourceNames=["mine"]))
    ann = someone(world)
    assert (await ann.list(CONFIG_MAP, "default", fields="metadata.name=mine")).items == []
    for fields in ("metadata.name=yours", "metadata.name!=mine", ""):
        with pytest.raises(errors.Forbidden):
            await ann.list(CONFIG_MAP, "default", fields=fields)


async def test_reading_is_not_getting_in(world: World, admin: Client) -> None:
    await admin.create(POD, pod("p"))
    await allow(admin, rule("get", "pods pods/exec pods/portforward"))
    for subresource in ("exec?command=sh", "portforward?ports=80"):
        path = f"/api/v1/namespaces/default/pods/p/{subresource}"
        code, _, body = await world.raw("GET", path, token=world.token("ann", ()))
        assert code == 403
        assert b"cannot create resource" in body


async def test_workloads_pass_on_what_they_have(world: World, admin: Client) -> None:
    worker = someone(world, "system:serviceaccount:default:worker")
    operator = {"kind": "ServiceAccount", "name": "operator"}
    for role in ("view", "edit"):
        await bind(worker, role, operator, kind=CLUSTER_ROLE)
    await worker.create(ROLE, ROLE.new("own", "default", rules=[rule("*", "configmaps pods")]))
    for role in ("cluster-admin", "system:node"):
        with pytest.raises(errors.Forbidden, match="not currently held"):
            await bind(worker, role, operator, kind=CLUSTER_ROLE)
