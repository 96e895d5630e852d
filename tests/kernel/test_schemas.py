"""Schemas: what is pruned, defaulted and refused, in upstream's words."""

from __future__ import annotations

import copy
import doctest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kernel.objects import schema_checks, schemas, structural
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.schemas import Schema


def place(schema: Object) -> Schema:
    return Schema({"type": "object", "properties": {"x": schema}})


@pytest.mark.parametrize("module", [schemas, schema_checks, structural])
def test_the_examples_in_the_text_hold(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("schema", "good", "bad", "message"),
    [
        ({"type": "integer"}, 3, "3", 'Invalid value: "string": x in body must be of type integer: "string"'),
        ({"type": "integer"}, 3.0, True, 'Invalid value: "boolean": x in body must be of type integer: "boolean"'),
        ({"type": "string"}, "", None, 'Invalid value: "null": x in body must be of type string: "null"'),
        (
            {"type": "string", "nullable": True},
            None,
            1,
            'Invalid value: "integer": x in body must be of type string: "integer"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            "25%",
            [],
            'Invalid value: "array": x in body must be of type integer,string: "array"',
        ),
        ({"type": "string", "enum": ["a", "b"]}, "a", "c", 'Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "number", "maximum": 2}, 2, 2.5, "Invalid value: 2.5: x in body should be less than or equal to 2"),
        (
            {"type": "number", "minimum": 2, "exclusiveMinimum": True},
            2.1,
            2,
            "Invalid value: 2: x in body should be greater than 2",
        ),
        ({"type": "integer", "multipleOf": 5}, 10, 7, "Invalid value: 7: x in body should be a multiple of 5"),
        ({"type": "string", "pattern": "^a+$"}, "aa", "b", "Invalid value: \"b\": x in body should match '^a+$'"),
        (
            {"type": "string", "minLength": 2},
            "ab",
            "a",
            'Invalid value: "a": x in body should be at least 2 chars long',
        ),
        ({"type": "string", "maxLength": 2}, "ab", "abc", "Too long: may not be more than 2 bytes"),
        (
            {"type": "array", "minItems": 1, "items": {}},
            [1],
            [],
            "Invalid value: 0: x in body should have at least 1 items",
        ),
        ({"type": "array", "maxItems": 1, "items": {}}, [1], [1, 2], "Too many: 2: must have at most 1 items"),
        (
            {"type": "string", "format": "date-time"},
            "2026-01-01T00:00:00Z",
            "now",
            'Invalid value: "now": x in body must be of type date-time: "now"',
        ),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1},
            {},
            "Invalid value: {}: x must validate one and only one schema (oneOf)",
        ),
        (
            {"type": "object", "not": {"required": ["a"]}},
            {},
            {"a": 1},
            'Invalid value: {"a":1}: x must not validate the schema (not)',
        ),
    ],
)
def test_values_are_checked(schema: Object, good: Any, bad: Any, message: str) -> None:
    compiled = place(schema)
    assert compiled.check({"x": good}) == []
    assert [cause.message for cause in compiled.check({"x": bad})] == [message]


def test_mistakes_are_found_where_they_are() -> None:
    items = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    lists = {
        "maps": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": items,
        },
        "sets": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    }
    schema = Schema({"type": "object", "properties": lists, "additionalProperties": {"type": "integer"}})
    value = {"maps": [{"name": "a"}, {}, {"name": "a"}], "sets": ["x", "x"], "more": "no"}
    assert {(cause.field, cause.reason) for cause in schema.check(value)} == {
        ("maps[1].name", "FieldValueRequired"),
        ("maps[2]", "FieldValueDuplicate"),
        ("sets[1]", "FieldValueDuplicate"),
        ("more", "FieldValueTypeInvalid"),
    }


def test_unknown_fields_go_except_where_they_may_stay() -> None:
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "open": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"in": {"type": "object"}},
                },
                "pod": {"type": "object", "x-kubernetes-embedded-resource": True},
                "named": {"type": "object", "additionalProperties": {"type": "object", "properties": {}}},
            },
        }
    )
    value = {
        "open": {"any": 1, "in": {"gone": 1}},
        "pod": {"kind": "Pod", "gone": 1},
        "named": {"a": {"gone": 1}},
        "gone": 1,
    }
    assert sorted(schema.prune(value)) == ["gone", "named.a.gone", "open.in.gone", "pod.gone"]
    assert value == {"open": {"any": 1, "in": {}}, "pod": {"kind": "Pod"}, "named": {"a": {}}}


def test_null_is_absence_unless_the_schema_says_otherwise() -> None:
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "a": {"type": "string", "default": "given"},
                "b": {"type": "string", "nullable": True, "default": "unused"},
                "c": {"type": "string"},
            },
        }
    )
    value: Object = {"a": None, "b": None, "c": None}
    assert schema.prune(value) == []
    schema.default(value)
    assert value == {"a": "given", "b": None}


def test_defaults_reach_into_lists_and_are_not_shared() -> None:
    inner = {"type": "object", "properties": {"tags": {"type": "array", "items": {}, "default": []}}}
    schema = place({"type": "array", "items": inner})
    value: Object = {"x": [{}, {}]}
    schema.default(value)
    value["x"][0]["tags"].append(1)
    assert value == {"x": [{"tags": [1]}, {"tags": []}]}


def test_definitions_may_name_themselves() -> None:
    tree = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}}
    schema = Schema({"$ref": "#/components/schemas/Tree"}, {"Tree": tree})
    assert schema.prune({"kids": [{"kids": [{"junk": 1}]}]}) == ["kids[0].kids[0].junk"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=10,
)
LEAF: Object = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}, "b": {"type": "string"}}}
NESTED = Schema(
    {"type": "object", "properties": {"a": LEAF, "b": {"type": "array", "items": LEAF}, "c": {"type": "integer"}}}
)


@given(VALUES)
def test_pruning_and_defaulting_twice_is_once(value: Any) -> None:
    NESTED.prune(value)
    NESTED.default(value)
    again = copy.deepcopy(value)
    assert NESTED.prune(again) == []
    NESTED.default(again)
    assert again == value


_OBJECT = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer", "default": 1}}}


@pytest.mark.parametrize(
    ("place", "field", "text"),
    [
        ({"type": "string", "pattern": "("}, "pattern", "must be a valid regular expression, but isn't"),
        ({"type": "string", "x-kubernetes-list-type": "set"}, "type", "must be array if x-kubernetes-list-type is"),
        (
            {"type": "array", "items": _OBJECT, "x-kubernetes-list-type": "map"},
            "x-kubernetes-list-map-keys",
            "must not be empty",
        ),
        (
            {
                "type": "array",
                "items": _OBJECT,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "items.properties[name].default",
            "must have a default or be a required property",
        ),
        (
            {"type": "array", "items": _OBJECT, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["x"]},
            "x-kubernetes-list-map-keys",
            "entries must all be names of item properties",
        ),
        ({"type": "array", "items": _OBJECT, "x-kubernetes-list-type": "set"}, "items.x-kubernetes-map-type", "atomic"),
        ({"type": "object", "x-kubernetes-map-type": "other"}, "x-kubernetes-map-type", "supported values"),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, "properties", "must not be empty"),
        ({"type": "string", "x-kubernetes-embedded-resource": True}, "type", "must be object"),
        ({"type": "integer", "x-kubernetes-int-or-string": True}, "type", "must be empty"),
        ({"type": "integer", "default": "a"}, "default", "must be of type integer"),
        ({**_OBJECT, "default": {"m": 1}}, "default", "must not have unknown fields: m"),
        ({"type": "array", "items": _OBJECT, "default": [{"name": 1}]}, "default.[0].name", "must be of type string"),
    ],
)
def test_places_that_say_what_they_cannot_mean(place: Object, field: str, text: str) -> None:
    found = structural.problems({"type": "object", "properties": {"p": place}}, "s")
    assert [cause for cause in found if cause.field == f"s.properties[p].{field}" and text in cause.message], found


def test_metadata_have_rules_of_their_own() -> None:
    metadata = {"type": "object", "properties": {"labels": {"type": "object"}}}
    (cause,) = structural.problems({"type": "object", "properties": {"metadata": metadata}}, "s")
    assert "must not specify anything other than name and generateName" in cause.message


@pytest.mark.parametrize(
    ("name", "fits", "does_not"),
    [
        ("date-time", "2026-02-28T10:00:00.5+01:00", "2026-02-30T10:00:00Z"),
        ("date", "2026-02-28", "2026-13-01"),
        ("duration", "1h2m3.5s", "1 fortnight"),
        ("byte", "QUI=", "QUI"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("ipv4", "10.0.0.1", "::1"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "01:23:45:67:89:ab", "01:23"),
        ("hostname", "a-b.example.com", "a b"),
        ("email", "ann@example.com", "ann"),
        ("uri", "https://example.com/x?y=1", "not a uri"),
        ("hexcolor", "#ff00aa", "#ff00a"),
        ("rgbcolor", "rgb(1, 2, 255)", "rgb(1, 2, 256)"),
        ("isbn10", "0-321-75104-3", "0-321-75104-4"),
        ("isbn13", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("k8s-short-name", "my-name", "My"),
        ("k8s-long-name", "a.b-c", "a..b"),
    ],
)
def test_formats(name: str, fits: str, does_not: str) -> None:
    schema = Schema({"type": "string", "format": name})
    assert schema.check(fits) == []
    assert [cause.reason for cause in schema.check(does_not)] == ["FieldValueInvalid"]


def test_an_object_inside_an_object_says_what_it_is() -> None:
    inner = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    schema = Schema({"type": "object", "properties": {"template": inner}})
    obj = {"template": {"apiVersion": "", "metadata": {"name": "x"}, "spec": {"a": 1}}}
    assert schema.prune(obj) == []
    assert [f"{cause.field}: {cause.message}" for cause in schema.check(obj)] == [
        'template.apiVersion: Invalid value: "": must not be empty',
        "template.kind: Required value",
    ]


def test_a_pattern_takes_linear_time() -> None:
    schema = Schema({"type": "string", "pattern": "^(a+)+$"})
    assert schema.check("a" * 100_000 + "b")


def test_a_duration_that_is_none_takes_linear_time() -> None:
    assert Schema({"type": "string", "format": "duration"}).check("1" * 200_000 + "x")
