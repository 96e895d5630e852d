"""Validating admission policies: what they see, what they refuse, warn of and note, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.api.identity.tokens import MASTERS
from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    Object,
)
from tests.cluster.api.world import World

_RULE = {"operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}


def policy(*validations: Object, name: str = "p", rule: Object | None = None, **spec: Any) -> Object:
    match = {"resourceRules": [rule or _RULE], **spec.pop("match", {})}
    return VALIDATING_ADMISSION_POLICY.new(
        name, spec={"matchConstraints": match, "validations": list(validations), **spec}
    )


def binding(*actions: str, name: str = "b", of: str = "p", **spec: Any) -> Object:
    actions = actions or ("Deny",)
    return VALIDATING_ADMISSION_POLICY_BINDING.new(
        name, spec={"policyName": of, "validationActions": list(actions), **spec}
    )


async def put(client: Client, a_policy: Object, *bindings: Object) -> Object:
    made = await client.create(VALIDATING_ADMISSION_POLICY, a_policy)
    for one in bindings or (binding(),):
        await client.create(VALIDATING_ADMISSION_POLICY_BINDING, one)
    return made


def config(name: str = "c", namespace: str = "default", **data: str) -> Object:
    return CONFIG_MAP.new(name, namespace, data=data)


async def test_a_policy_refuses_in_upstreams_words(client: Client) -> None:
    made = await put(client, policy({"expression": "has(object.data.a)", "message": "a is missing"}))
    assert (made["spec"]["failurePolicy"], made["spec"]["matchConstraints"]["matchPolicy"]) == ("Fail", "Equivalent")
    with pytest.raises(errors.Invalid) as refused:
        await client.create(CONFIG_MAP, config(b="1"))
    text = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: a is missing"
    assert refused.value.message == f'configmaps "c" is forbidden: {text}'
    assert (refused.value.code, refused.value.details["causes"]) == (422, [{"message": text}])
    await client.create(CONFIG_MAP, config(a="1"))


async def test_a_policy_without_a_binding_is_not_in_force(client: Client) -> None:
    await client.create(VALIDATING_ADMISSION_POLICY, policy({"expression": "false"}))
    await client.create(CONFIG_MAP, config())
    await client.create(VALIDATING_ADMISSION_POLICY_BINDING, binding())
    with pytest.raises(errors.Invalid, match="failed expression: false"):
        await client.create(CONFIG_MAP, config("other"))
    await client.delete(VALIDATING_ADMISSION_POLICY_BINDING, "b", None)
    await client.create(CONFIG_MAP, config("other"))


async def test_reasons_messages_and_variables(client: Client) -> None:
    await put(
        client,
        policy(
            {
                "expression": "variables.count < 2",
                "messageExpression": "'at most 1, not ' + string(variables.count)",
                "reason": "Forbidden",
            },
            variables=[
                {"name": "data", "expression": "has(object.data) ? object.data : {}"},
                {"name": "count", "expression": "variables.data.size()"},
            ],
        ),
    )
    await client.create(CONFIG_MAP, config("empty"))
    with pytest.raises(errors.Forbidden, match="denied request: at most 1, not 2") as refused:
        await client.create(CONFIG_MAP, config(a="1", b="2"))
    assert refused.value.code == 403


async def test_what_a_policy_sees(client: Client) -> None:
    await put(
        client,
        policy(
            {"expression": "request.operation != 'UPDATE' || object.data == oldObject.data", "message": "immutable"},
            {"expression": "namespaceObject.metadata.name == request.namespace", "message": "namespace"},
            {"expression": "request.userInfo.username == 'admin' && request.name == object.metadata.name"},
            {"expression": "authorizer.group('').resource('pods').namespace('x').check('create').allowed()"},
            {"expression": "request.resource.resource == 'configmaps' && request.kind.kind == 'ConfigMap'"},
        ),
    )
    await client.create(CONFIG_MAP, config(a="1"))
    with pytest.raises(errors.Invalid, match="immutable"):
        await client.patch(CONFIG_MAP, "c", "default", {"data": {"a": "2"}})
    await client.patch(CONFIG_MAP, "c", "default", {"metadata": {"labels": {"a": "b"}}})


async def test_who_asks_is_asked_about(world: World) -> None:
    admin = Client(world.server.transport(Identity("admin", (MASTERS,))))
    rule = "authorizer.group('').resource('nodes').check('list').allowed()"
    await put(admin, policy({"expression": rule, "message": "not for you"}))
    await admin.create(CONFIG_MAP, config())
    account = Client(
        world.server.transport(
            Identity("system:serviceaccount:default:sa", ("system:serviceaccounts:default", "system:authenticated"))
        )
    )
    with pytest.raises(errors.Invalid, match="not for you"):
        await account.create(CONFIG_MAP, config("other"))


async def test_deletions_have_an_old_object_only(client: Client) -> None:
    rule = {**_RULE, "operations": ["DELETE"]}
    await put(client, policy({"expression": "object == null && !has(oldObject.data.keep)"}, rule=rule))
    await client.create(CONFIG_MAP, config(keep="yes"))
    await client.create(CONFIG_MAP, config("other"))
    await client.delete(CONFIG_MAP, "other", "default")
    with pytest.raises(errors.Invalid, match="failed expression"):
        await client.delete(CONFIG_MAP, "c", "default")


@pytest.mark.parametrize(
    ("match", "bound", "hit"),
    [
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, {}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, {}, True),
        ({"excludeResourceRules": [{**_RULE, "resourceNames": ["c"]}]}, {}, False),
        ({"excludeResourceRules": [{**_RULE, "resourceNames": ["d"]}]}, {}, True),
        ({}, {"matchResources": {"namespaceSelector": {"matchLabels": {"team": "a"}}}}, False),
        ({}, {"matchResources": {"resourceRules": [{**_RULE, "resources": ["secrets"]}]}}, False),
        ({}, {"matchResources": {"resourceRules": [_RULE]}}, True),
    ],
)
async def test_which_requests_are_concerned(client: Client, match: Object, bound: Object, hit: bool) -> None:
    await put(client, policy({"expression": "false"}, match=match), binding(**bound))
    if hit:
        with pytest.raises(errors.Invalid):
            await client.create(CONFIG_MAP, config())
    else:
        await client.create(CONFIG_MAP, config())


async def test_conditions_decide_whether_a_policy_runs(client: Client) -> None:
    conditions = [{"name": "named", "expression": "object.metadata.name.startsWith('x')"}]
    await put(client, policy({"expression": "false"}, matchConditions=conditions))
    await client.create(CONFIG_MAP, config())
    with pytest.raises(errors.Invalid):
        await client.create(CONFIG_MAP, config("x"))


async def test_what_has_no_value_refuses_unless_it_may_fail(client: Client) -> None:
    made = await put(client, policy({"expression": "object.data.a.b == 'x'"}))
    text = "denied request: expression 'object.data.a.b == 'x'' resulted in error: no such key: a"
    with pytest.raises(errors.Invalid, match=text):
        await client.create(CONFIG_MAP, config())
    await client.patch(
        VALIDATING_ADMISSION_POLICY, made["metadata"]["name"], None, {"spec": {"failurePolicy": "Ignore"}}
    )
    await client.create(CONFIG_MAP, config())


async def test_warnings_and_notes_let_a_write_through(world: World, client: Client) -> None:
    await put(client, policy({"expression": "false", "message": "hm"}), binding("Warn", "Audit"))
    code, headers, _ = await world.raw("POST", CONFIG_MAP.path("default"), data=b'{"metadata": {"name": "c"}}')
    assert code == 201
    assert headers["Warning"] == ("299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': hm\"")


class TestParameters:
    _POLICY: Object = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
    _RULE: Object = {**_RULE, "apiGroups": ["apps"], "resources": ["deployments"]}

    def _deployment(self, replicas: int) -> Object:
        labels = {"app": "a"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "busybox"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        return DEPLOYMENT.new("d", "default", spec=spec)

    def _policy(self) -> Object:
        return policy({"expression": "object.spec.replicas <= int(params.data.most)"}, rule=self._RULE, **self._POLICY)

    async def test_by_name(self, client: Client) -> None:
        await client.create(CONFIG_MAP, config("limits", most="2"))
        reference = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
        await put(client, self._policy(), binding(paramRef=reference))
        with pytest.raises(errors.Invalid, match="failed expression"):
            await client.create(DEPLOYMENT, self._deployment(3))
        await client.create(DEPLOYMENT, self._deployment(2))

    async def test_by_labels_in_the_namespace_of_the_request(self, client: Client) -> None:
        for name, most in (("one", "5"), ("two", "1")):
            labelled = CONFIG_MAP.new(name, "default", data={"most": most}, metadata={"labels": {"l": "x"}})
            await client.create(CONFIG_MAP, labelled)
        reference = {"selector": {"matchLabels": {"l": "x"}}, "parameterNotFoundAction": "Allow"}
        await put(client, self._policy(), binding(paramRef=reference))
        with pytest.raises(errors.Invalid):
            await client.create(DEPLOYMENT, self._deployment(2))
        await client.create(DEPLOYMENT, self._deployment(1))

    @pytest.mark.parametrize("action", ["Allow", "Deny"])
    async def test_that_are_not_there(self, client: Client, action: str) -> None:
        await put(client, self._policy(), binding(paramRef={"name": "none", "parameterNotFoundAction": action}))
        if action == "Allow":
            await client.create(DEPLOYMENT, self._deployment(9))
        else:
            with pytest.raises(errors.Invalid, match="failed to configure binding: no params found for policy binding"):
                await client.create(DEPLOYMENT, self._deployment(1))

    async def test_of_a_kind_that_nobody_knows(self, client: Client) -> None:
        kind = {"paramKind": {"apiVersion": "example.dev/v1", "kind": "Limit"}}
        reference = {"name": "none", "parameterNotFoundAction": "Allow"}
        await put(client, policy({"expression": "true"}, **kind), binding(paramRef=reference))
        with pytest.raises(errors.Invalid, match="Kind=Limit` not known"):
            await client.create(CONFIG_MAP, config())


async def test_nobody_is_locked_out_of_policies(client: Client) -> None:
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    await put(client, policy({"expression": "false"}, rule=rule))
    with pytest.raises(errors.Invalid):
        await client.create(NAMESPACE, NAMESPACE.new("more"))
    await client.delete(VALIDATING_ADMISSION_POLICY, "p", None)
    await client.create(NAMESPACE, NAMESPACE.new("more"))


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        ({"validations": [{"expression": "object.x >"}]}, "spec.validations[0].expression", "Syntax error"),
        ({"validations": [{"expression": "1"}]}, "spec.validations[0].expression", "must evaluate to bool but got int"),
        ({"validations": [{"expression": "params.x == 1"}]}, "spec.validations[0].expression", "undeclared reference"),
        ({"validations": [{"expression": " "}]}, "spec.validations[0].expression", "expression is not specified"),
        ({"validations": [{"expression": "true", "message": "a\nb"}]}, "spec.validations[0].message", "line breaks"),
        ({"validations": [{"expression": "true", "reason": "No"}]}, "spec.validations[0].reason", "supported values"),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            "spec.validations[0].messageExpression",
            "must evaluate to string but got int",
        ),
        ({"validations": []}, "spec.validations", "must contain at least one item"),
        ({"variables": [{"name": "a-b", "expression": "1"}]}, "spec.variables[0].name", "not a valid CEL identifier"),
        (
            {"variables": [{"name": "a", "expression": "b"}]},
            "spec.variables[0].expression",
            "undeclared reference to 'b'",
        ),
        ({"matchConditions": [{"name": "a", "expression": "2"}]}, "spec.matchConditions[0].expression", "got int"),
        (
            {"auditAnnotations": [{"key": "a", "valueExpression": "1"}]},
            "spec.auditAnnotations[0].valueExpression",
            "int",
        ),
        ({"failurePolicy": "No"}, "spec.failurePolicy", "Unsupported value"),
        ({"matchConstraints": {}}, "spec.matchConstraints.resourceRules", "Required value"),
        ({"paramKind": {"kind": "X"}}, "spec.paramKind.apiVersion", "Required value"),
    ],
)
async def test_policies_that_cannot_be_run_are_refused(client: Client, spec: Object, field: str, text: str) -> None:
    whole = policy({"expression": "true"})
    whole["spec"] |= spec
    with pytest.raises(errors.Invalid) as refused:
        await client.create(VALIDATING_ADMISSION_POLICY, whole)
    found = {cause["field"]: cause["message"] for cause in refused.value.details["causes"]}
    assert text in found[field]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"validationActions": []},
            "spec.validationActions: Required value: at least one validation action is required",
        ),
        ({"validationActions": ["Deny", "Warn"]}, "must not contain both Deny and Warn"),
        ({"validationActions": ["Shout"]}, 'Unsupported value: "Shout"'),
        ({"policyName": ""}, "spec.policyName: Required value"),
        ({"paramRef": {}}, "one of name or selector must be specified"),
        ({"paramRef": {"name": "a"}}, "spec.paramRef.parameterNotFoundAction: Required value"),
    ],
)
async def test_bindings_that_make_no_sense_are_refused(client: Client, spec: Object, text: str) -> None:
    wrong = binding()
    wrong["spec"] |= spec
    with pytest.raises(errors.Invalid) as refused:
        await client.create(VALIDATING_ADMISSION_POLICY_BINDING, wrong)
    assert text in refused.value.message
