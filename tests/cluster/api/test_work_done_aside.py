"""Expressions that take long hold nobody else: counted in requests that are answered meanwhile, not in time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from fairway.cluster.api.aside import AT_ONCE, Aside
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.cluster.api.rules.compiling import places
from fairway.cluster.api.rules.evaluating import verdict
from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    CRD,
    NAMESPACE,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
    Object,
)
from tests.cluster.api.world import World

_KIND = Kind("example.dev", "v1", "Gauge", "gauges")
_MANY = 5
_ANSWERED = 20
_DEAR = "lists.range(300).all(x, lists.range(300).all(y, x + y >= 0))"
_CONFIG_MAPS = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
_FOR_THEM = {"resourceRules": [_CONFIG_MAPS]}


def _numbers(*rules: str) -> Object:
    return {
        "type": "array",
        "maxItems": 400,
        "items": {"type": "integer"},
        "x-kubernetes-validations": [{"rule": rule} for rule in rules],
    }


async def _answered_meanwhile(client: Client, dear: Coroutine[Any, Any, Object]) -> int:
    """How many requests of somebody else are answered until the dear one is."""
    task, answered = asyncio.create_task(dear), 0
    while not task.done():
        await client.get(NAMESPACE, "default")
        await asyncio.sleep(0)
        answered += 1
    await task
    return answered


async def test_rules_that_take_long_let_others_go_on(client: Client) -> None:
    rules = [f"self.all(x, self.all(y, x + y >= -{index}))" for index in range(_MANY)]
    spec = {"type": "object", "properties": {"list": _numbers(*rules)}}
    await client.create(CRD, CustomKind(_KIND, {"spec": spec}).definition())
    dear = _KIND.new("dear", "default", spec={"list": list(range(300))})
    assert await _answered_meanwhile(client, client.create(_KIND, dear)) > _ANSWERED


async def test_the_shape_of_large_objects_and_definitions_with_rules_let_others_go_on(world: World) -> None:
    client = Client(world.server.transport(Identity("admin", (MASTERS,))))
    part = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^([a-z0-9]+-?)+$"}}}
    rules = [{"rule": f"self.size() >= 0 && self.size() < {60_000 + index}"} for index in range(300)]
    parts = {"type": "array", "maxItems": 60_000, "items": part, "x-kubernetes-validations": rules}
    spec = {"type": "object", "properties": {"parts": parts, "note": {"type": "string"}}}
    definition = CustomKind(_KIND, {"spec": spec}).definition()
    assert await _answered_meanwhile(client, client.create(CRD, definition)) > _ANSWERED
    large = _KIND.new("large", "default", spec={"parts": [{"name": f"a-{index}"} for index in range(40_000)]})
    await client.create(_KIND, large)
    noted = client.patch(_KIND, "large", "default", {"spec": {"note": "a"}})
    assert await _answered_meanwhile(client, noted) > _ANSWERED


async def test_policies_that_take_long_let_others_go_on_and_know_permissions(client: Client) -> None:
    may = "authorizer.group('').resource('configmaps').namespace('default').check('get').allowed()"
    validations = [{"expression": f"variables.may && {_DEAR} && {index} >= 0"} for index in range(_MANY)]
    spec = {
        "matchConstraints": _FOR_THEM,
        "variables": [{"name": "may", "expression": f"lists.range(9999).all(x, x >= 0) && {may}"}],
        "validations": validations,
    }
    await client.create(VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY.new("p", spec=spec))
    binding = {"policyName": "p", "validationActions": ["Deny"]}
    await client.create(VALIDATING_ADMISSION_POLICY_BINDING, VALIDATING_ADMISSION_POLICY_BINDING.new("b", spec=binding))
    dear = CONFIG_MAP.new("dear", "default", data={"a": "b"})
    assert await _answered_meanwhile(client, client.create(CONFIG_MAP, dear)) > _ANSWERED


async def test_conditions_that_take_long_let_others_go_on(client: Client) -> None:
    webhook = {
        "name": "never.example.dev",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [_CONFIG_MAPS],
        "matchConditions": [
            {"name": "dear", "expression": _DEAR},
            {"name": "dearer", "expression": f"{_DEAR} || object == null"},
            {"name": "no", "expression": f"!{_DEAR}"},
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    await client.create(
        VALIDATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION.new("never", webhooks=[webhook])
    )
    dear = CONFIG_MAP.new("dear", "default", data={"a": "b"})
    assert await _answered_meanwhile(client, client.create(CONFIG_MAP, dear)) > _ANSWERED


async def test_a_bomb_is_refused_in_the_end(client: Client) -> None:
    spec = {"type": "object", "properties": {"list": _numbers("self.all(x, self.all(y, x + y + 1 + 1 + 1 >= 0))")}}
    await client.create(CRD, CustomKind(_KIND, {"spec": spec}).definition())
    dear = _KIND.new("dear", "default", spec={"list": list(range(400))})
    with pytest.raises(errors.Invalid, match="actual cost limit exceeded"):
        await client.create(_KIND, dear)


async def test_work_takes_turns_and_its_problems_come_back() -> None:
    aside, order = Aside(), list[int]()
    await asyncio.gather(*(aside.run(lambda index=index: order.append(index)) for index in range(5)))
    assert order == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        await aside.run(lambda: 1 // 0)
    aside.close()


def _root(items: Object) -> Any:
    return places({"type": "object", "properties": {"spec": {"type": "object", "properties": {"list": items}}}})


def test_rules_of_the_usual_kind_never_leave_the_loop() -> None:
    item = {"type": "string", "x-kubernetes-validations": [{"rule": "self.matches('^[a-z0-9-]+$')"}] * 4}
    items = {"type": "array", "items": item, "x-kubernetes-validations": [{"rule": "self.all(x, size(x) < 64)"}]}
    found = verdict(_root(items), {"spec": {"list": [f"name-{index}" for index in range(60)]}}, None, AT_ONCE)
    assert (found.spent, found.causes) == (False, [])


@pytest.mark.parametrize("rule", ["true", "self > 0", "self / 0 == 1 || true", "self.x == 1"])
def test_many_small_rules_are_dear_too(rule: str) -> None:
    items = {
        "type": "array",
        "items": {"x-kubernetes-int-or-string": True, "x-kubernetes-validations": [{"rule": rule}]},
    }
    # dynamic items have rules where their type is not known
    assert verdict(_root(items), {"spec": {"list": [1] * 2000}}, None, AT_ONCE).spent


def test_a_rule_without_a_value_has_its_cost() -> None:
    rules = [f"self.all(x, self.all(y, x + y >= -{index})) && self[300] == 1" for index in range(_MANY)]
    found = verdict(_root(_numbers(*rules)), {"spec": {"list": list(range(100))}}, None, 200_000)
    assert found.spent and len(found.causes) < _MANY


def test_an_answer_has_an_end() -> None:
    items = {"type": "array", "items": {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 0"}]}}
    assert len(verdict(_root(items), {"spec": {"list": [1] * 5000}}, None).causes) == 1000
