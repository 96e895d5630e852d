"""Mutating admission policies: objects are completed by what CEL gives, and what cannot be done refuses."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    POD,
    Object,
)
from tests.cluster.api.world import WIDGET, define, pod


def _rule(group: str, resource: str) -> Object:
    return {"operations": ["CREATE", "UPDATE"], "apiGroups": [group], "apiVersions": ["*"], "resources": [resource]}


def apply(expression: str) -> Object:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patch(expression: str) -> Object:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def put(
    client: Client, *mutations: Object, on: tuple[str, str] = ("", "configmaps"), name: str = "m", **spec: Any
) -> None:
    whole = {"matchConstraints": {"resourceRules": [_rule(*on)]}, "reinvocationPolicy": "Never"}
    made = MUTATING_ADMISSION_POLICY.new(name, spec={**whole, "mutations": list(mutations), **spec})
    await client.create(MUTATING_ADMISSION_POLICY, made)
    await client.create(
        MUTATING_ADMISSION_POLICY_BINDING, MUTATING_ADMISSION_POLICY_BINDING.new(name, spec={"policyName": name})
    )


def config(**data: str) -> Object:
    return CONFIG_MAP.new("c", "default", data=data)


async def test_configurations_are_laid_over_the_object(client: Client) -> None:
    await put(client, apply("Object{metadata: Object.metadata{labels: {'team': object.data.team}}}"))
    made = await client.create(
        CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"team": "a"}, metadata={"labels": {"x": "y"}})
    )
    assert made["metadata"]["labels"] == {"x": "y", "team": "a"}


async def test_lists_with_keys_are_merged(client: Client) -> None:
    variable = "Object.spec.containers.env{name: 'A', value: 'b'}"
    sidecar = f"Object.spec.containers{{name: 'side', image: 'busybox:1', env: [{variable}]}}"
    await put(client, apply(f"Object{{spec: Object.spec{{containers: [{sidecar}]}}}}"), on=("", "pods"))
    made = await client.create(POD, pod("p"))
    names = {one["name"]: one.get("env") for one in made["spec"]["containers"]}
    assert names == {"main": None, "side": [{"name": "A", "value": "b"}]}
    assert made["spec"]["containers"][0]["terminationMessagePath"] == "/dev/termination-log"


async def test_quantities_get_their_form(client: Client) -> None:
    where = "/spec/containers/0/resources"
    await put(
        client,
        patch(f"[JSONPatch{{op: 'add', path: '{where}', value: {{'limits': {{'memory': '1024Mi'}}}}}}]"),
        on=("", "pods"),
    )
    made = await client.create(POD, pod("p"))
    amounts = {"memory": "1Gi"}
    assert made["spec"]["containers"][0]["resources"] == {"limits": amounts, "requests": amounts}
    await put(
        client, patch(f"[JSONPatch{{op: 'add', path: '{where}/limits/cpu', value: 'much'}}]"), on=("", "pods"), name="n"
    )
    with pytest.raises(errors.ApiError, match="quantities must match the regular expression"):
        await client.create(POD, pod("q"))


async def test_patches_are_applied_one_after_the_other(client: Client) -> None:
    await put(
        client,
        patch("[JSONPatch{op: 'add', path: '/data/n', value: '1'}]"),
        patch(
            "has(object.data.n) ? [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}, "
            "JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('a/b'), "
            "value: object.data.n}] : []"
        ),
    )
    made = await client.create(CONFIG_MAP, config(a="b"))
    assert made["data"] == {"a": "b", "n": "1"}
    assert made["metadata"]["annotations"] == {"a/b": "1"}


async def test_variables_conditions_and_custom_resources(client: Client) -> None:
    await define(client)
    await put(
        client,
        apply("Object{spec: Object.spec{size: variables.wanted}}"),
        on=("example.dev", "widgets"),
        variables=[{"name": "wanted", "expression": "object.spec.size + 1"}],
        matchConditions=[{"name": "small", "expression": "object.spec.size < 2"}],
    )
    made = await client.create(WIDGET.kind, WIDGET.kind.new("w", "default", spec={"size": 1}))
    assert made["spec"] == {"size": 2, "colour": "red"}
    assert (await client.create(WIDGET.kind, WIDGET.kind.new("x", "default", spec={"size": 5})))["spec"]["size"] == 5


async def test_a_policy_may_see_what_another_changed(client: Client) -> None:
    first = apply("!has(object.data.b) || has(object.data.a) ? Object{} : Object{data: Object.data{a: '1'}}")
    await put(client, first, name="a", reinvocationPolicy="IfNeeded")
    await put(client, apply("Object{data: Object.data{b: '2'}}"), name="b")
    assert (await client.create(CONFIG_MAP, config()))["data"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("mutation", "text"),
    [
        (patch("[JSONPatch{op: 'remove', path: '/data/none'}]"), "policy 'm' with binding 'm' denied request: "),
        (apply("Object{data: Object.data{a: object.data.none}}"), "resulted in error: no such key: none"),
        (patch("[JSONPatch{op: 'replace', path: '/kind', value: 'Secret'}]"), "may not change apiVersion or kind"),
    ],
)
async def test_what_cannot_be_done_refuses(client: Client, mutation: Object, text: str) -> None:
    await put(client, mutation)
    with pytest.raises(errors.ApiError) as refused:
        await client.create(CONFIG_MAP, config(a="b"))
    assert text in refused.value.message


async def test_what_is_one_value_is_not_applied_in_part(client: Client) -> None:
    await put(
        client, apply("Object{spec: Object.spec{tolerations: [Object.spec.tolerations{key: 'a'}]}}"), on=("", "pods")
    )
    with pytest.raises(errors.Invalid, match=r"may not mutate atomic arrays, maps or structs: .spec.tolerations"):
        await client.create(POD, pod("p"))


@pytest.mark.parametrize(
    ("mutation", "text"),
    [
        (apply("{'a': 1}"), "must evaluate to Object but got map(string, int)"),
        (patch("[1]"), "must evaluate to list(JSONPatch) but got list(int)"),
        (patch("[JSONPatch{ops: 'add'}]"), "undefined field 'ops'"),
        (apply("Thing{}"), "undeclared reference to 'Thing'"),
        ({"patchType": "Other"}, "Unsupported value"),
        ({"patchType": "JSONPatch"}, "expression is not specified"),
    ],
)
async def test_policies_that_cannot_be_run_are_refused(client: Client, mutation: Object, text: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await put(client, mutation)
    assert text in refused.value.message
