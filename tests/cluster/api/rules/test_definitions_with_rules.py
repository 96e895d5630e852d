"""Definitions with rules, over the API: refused where they cannot hold, in force with the next write."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from fairway.cluster.api.custom import crd_checks
from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import CRD, Kind, Object
from tests.cluster.api.world import World

_KIND = Kind("example.dev", "v1", "Gadget", "gadgets")
_AT = "spec.versions[0].schema.openAPIV3Schema.properties[spec]"


def _definition(spec: Object) -> Object:
    return CustomKind(
        _KIND, {"spec": spec, "status": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    ).definition()


def _size(*rules: Object, **more: Any) -> Object:
    size = {"type": "integer", "x-kubernetes-validations": list(rules)}
    return {"type": "object", "properties": {"size": size, "name": {"type": "string"}, **more}}


def _gadget(**spec: Any) -> Object:
    return _KIND.new("g", "default", spec=spec)


@pytest.mark.parametrize(
    ("rule", "field", "text"),
    [
        (
            {"rule": "self > 'a'"},
            "rule",
            "compilation failed: ERROR: <input>:1:6: found no matching overload for '_>_'",
        ),
        (
            {"rule": "self.x"},
            "rule",
            "compilation failed: ERROR: <input>:1:5: type 'int' does not support field selection",
        ),
        ({"rule": "self +"}, "rule", "compilation failed: ERROR: <input>:1:7: Syntax error"),
        ({"rule": "self + 1"}, "rule", "cel expression must evaluate to a bool"),
        ({"rule": " "}, "rule", "Required value: rule is not specified"),
        ({"rule": "self > 1 &&\nself < 3"}, "message", "message must be specified if rule contains line breaks"),
        ({"rule": "self > 1", "message": "a\nb"}, "message", "must not contain line breaks"),
        ({"rule": "self > 1", "messageExpression": "self"}, "messageExpression", "must evaluate to a string"),
        ({"rule": "self > 1", "messageExpression": "x"}, "messageExpression", "undeclared reference to 'x'"),
        ({"rule": "self > 1", "reason": "No"}, "reason", 'Unsupported value: "No": supported values: '),
        ({"rule": "self > 1", "fieldPath": ".x"}, "fieldPath", "must be a valid path"),
        ({"rule": "self > 1", "optionalOldSelf": True}, "optionalOldSelf", "may not be set if oldSelf is not used"),
    ],
)
async def test_rules_that_cannot_hold_are_refused_with_their_place(
    client: Client, rule: Object, field: str, text: str
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await client.create(CRD, _definition(_size(rule)))
    (cause,) = refused.value.details["causes"]
    assert cause["field"] == f"{_AT}.properties[size].x-kubernetes-validations[0].{field}"
    assert text in cause["message"]


async def test_nobody_knows_what_an_item_of_a_plain_list_was(client: Client) -> None:
    items = {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    with pytest.raises(
        errors.Invalid, match="oldSelf cannot be used on the uncorrelatable portion of the schema within"
    ):
        await client.create(CRD, _definition(_size(list={"type": "array", "items": items})))


@pytest.mark.parametrize("where", [{"anyOf": [{"RULES": []}]}, {"allOf": [{"properties": {"a": {"RULES": []}}}]}])
async def test_rules_stand_where_the_shape_is_said(client: Client, where: Object) -> None:
    spec = orjson.loads(orjson.dumps(_size() | where).replace(b"RULES", b"x-kubernetes-validations"))
    with pytest.raises(errors.Invalid, match="x-kubernetes-validations: Forbidden: must be empty to be structural"):
        await client.create(CRD, _definition(spec))


async def test_rules_hold_for_every_way_to_write(client: Client) -> None:
    rules = ({"rule": "self > 1", "message": "too small"}, {"rule": "self == oldSelf", "message": "size is immutable"})
    await client.create(CRD, _definition(_size(*rules)))
    with pytest.raises(
        errors.Invalid, match=r'Gadget.example.dev "g" is invalid: spec.size: Invalid value: 1: too small'
    ):
        await client.create(_KIND, _gadget(size=1))
    made = await client.create(_KIND, _gadget(size=2))
    for write in (
        lambda: client.patch(_KIND, "g", "default", {"spec": {"size": 3}}),
        lambda: client.update(_KIND, {**made, "spec": {"size": 3}}),
    ):
        with pytest.raises(errors.Invalid, match="size is immutable"):
            await write()
    assert (await client.patch_status(_KIND, "g", "default", {"n": 1}))["status"] == {"n": 1}


async def test_rules_wait_for_the_shape(client: Client) -> None:
    await client.create(CRD, _definition(_size({"rule": "self > 1"})))
    with pytest.raises(errors.Invalid, match="some validation rules were not checked because the object was invalid"):
        await client.create(_KIND, _gadget(size="a"))


async def _stricter(client: Client, spec: Object) -> None:
    live = await client.get(CRD, "gadgets.example.dev")
    new = copy.deepcopy(live)
    new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec
    await client.update(CRD, new)


async def test_what_a_stricter_schema_refuses_may_stay_as_it_is(client: Client) -> None:
    parts = {
        "type": "array",
        "items": {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    parts["items"]["required"] = ["name"]
    loose = {**_size(), "properties": {"size": {"type": "integer"}, "name": {"type": "string"}, "parts": parts}}
    await client.create(CRD, _definition(loose))
    await client.create(_KIND, _gadget(size=1, name="a", parts=[{"name": "x", "n": 1}]))
    strict = copy.deepcopy(loose)
    strict["properties"]["size"] |= {"minimum": 5, "x-kubernetes-validations": [{"rule": "self > 6"}]}
    strict["properties"]["parts"]["items"]["properties"]["n"]["minimum"] = 5
    strict["properties"]["parts"]["items"]["required"] = ["name", "must"]
    strict["properties"]["parts"]["items"]["properties"]["must"] = {"type": "string"}
    await _stricter(client, strict)
    other = await client.patch(_KIND, "g", "default", {"spec": {"name": "b"}})
    assert other["spec"]["size"] == 1
    longer = [{"name": "y", "n": 6, "must": ""}, {"name": "x", "n": 1}]
    await client.patch(_KIND, "g", "default", {"spec": {"parts": longer}})
    with pytest.raises(errors.Invalid, match=r"spec.size in body should be greater than or equal to 5"):
        await client.patch(_KIND, "g", "default", {"spec": {"size": 2}})
    with pytest.raises(errors.Invalid, match=r"spec.parts\[0\].must: Required value"):
        await client.patch(_KIND, "g", "default", {"spec": {"parts": [{"name": "x", "n": 7}, *longer[:1]]}})


async def test_what_is_passed_over_is_warned_of(world: World, client: Client) -> None:
    await client.create(CRD, _definition(_size()))
    await client.create(_KIND, _gadget(size=1))
    await _stricter(client, _size({"rule": "self > 1", "message": "small"}))
    code, headers, _ = await world.raw(
        "PATCH",
        _KIND.path("default", "g"),
        headers={"Content-Type": "application/merge-patch+json"},
        data=b'{"spec": {"name": "b"}}',
    )
    assert (code, headers["Warning"]) == (200, '299 - "spec.size: Invalid value: 1: small"')


_BOMB = {"rule": "self.all(a, self.all(b, self.all(c, self.all(d, a + b + c + d >= 0))))"}
_HINT = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
_TOO_DEAR = f"Forbidden: estimated rule cost exceeds budget by factor of more than 100x {_HINT}"


def _numbers(*rules: Object, **more: Any) -> Object:
    return {"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": list(rules), **more}


async def test_a_bomb_is_refused_with_its_definition(client: Client) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await client.create(CRD, _definition(_size(list=_numbers(_BOMB))))
    at = f"{_AT}.properties[list].x-kubernetes-validations[0].rule"
    assert [(cause["field"], cause["message"]) for cause in refused.value.details["causes"]] == [
        (at, _TOO_DEAR),
        (at, "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"),
        (
            "spec.versions[0].schema.openAPIV3Schema",
            "Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget "
            f"by factor of more than 100x {_HINT}",
        ),
    ]
    await client.create(CRD, _definition(_size(list=_numbers(_BOMB, maxItems=20))))


async def test_many_rules_may_be_too_dear_together(client: Client) -> None:
    rule = {"rule": "self.all(a, a > 0) && self.all(a, a < 9)", "messageExpression": "'a'"}
    lists = {f"l{index}": _numbers(rule, maxItems=900_000) for index in range(12)}
    with pytest.raises(errors.Invalid) as refused:
        await client.create(CRD, _definition(_size(**lists)))
    *named, whole = refused.value.details["causes"]
    assert len(named) == 4 and all("contributed to estimated rule cost total" in one["message"] for one in named)
    assert "exceeds budget by factor of 1.080000x" in whole["message"]


@pytest.mark.parametrize(
    ("spec", "field", "factor"),
    [
        (_size(list=_numbers({"rule": "self.all(a, self.all(b, a + b > 0))"}, maxItems=2000)), "rule", "2.8x"),
        (_size(list=_numbers({"rule": "self.all(a, self.all(b, a + b > 0))"}, maxItems=1300)), "rule", "1.183650x"),
        (
            _size(
                list=_numbers(
                    {"rule": "size(self) > 1", "messageExpression": "self.all(a, self.all(b, a > b)) ? 'a' : 'b'"},
                    maxItems=3000,
                )
            ),
            "messageExpression",
            "5.4x",
        ),
        (
            _size(
                outer={"type": "array", "items": _numbers({"rule": "self.all(a, a > 0)"}, maxItems=100)},
            ),
            "rule",
            "52.6x",
        ),
    ],
)
async def test_a_dear_expression_is_refused_by_how_much_it_exceeds(
    client: Client, spec: Object, field: str, factor: str
) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await client.create(CRD, _definition(spec))
    cause = refused.value.details["causes"][0]
    what = {"rule": "rule", "messageExpression": "messageExpression"}[field]
    assert cause["field"].endswith(f"x-kubernetes-validations[0].{field}")
    assert cause["message"] == f"Forbidden: estimated {what} cost exceeds budget by factor of {factor} {_HINT}"


def test_a_dear_rule_that_is_stored_may_stay_until_its_schema_changes() -> None:
    stored = _definition(_size(list=_numbers(_BOMB)))
    assert list(crd_checks.problems(stored, stored)) == []
    longer = copy.deepcopy(stored)
    longer["spec"]["names"]["shortNames"] = ["gd"]
    assert list(crd_checks.problems(longer, stored)) == []
    longer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "other"
    assert _TOO_DEAR in [cause.message for cause in crd_checks.problems(longer, stored)]


async def test_what_an_object_costs_too_much_is_refused(client: Client) -> None:
    await client.create(CRD, _definition(_size(list=_numbers(_BOMB, maxItems=25))))
    with pytest.raises(errors.Invalid, match="actual cost limit exceeded"):
        await client.create(_KIND, _gadget(list=list(range(25))))
