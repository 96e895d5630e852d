"""Objects and the rules of their schema: at every level, in upstream's words, beside what was there before."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.api.rules.compiling import places
from fairway.cluster.api.rules.evaluating import Verdict, verdict
from fairway.kernel.objects.kinds import Object

_STRING, _INT = {"type": "string"}, {"type": "integer"}


def _rule(text: str, **more: Any) -> Object:
    return {"rule": text, **more}


def _with(schema: Object, *rules: Object) -> Object:
    return {**schema, "x-kubernetes-validations": list(rules)}


def _spec(**properties: Object) -> Object:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def _verdict(schema: Object, spec: Object, old: Object | None = None) -> Verdict:
    root = places(schema)
    assert root is not None
    return verdict(root, {"spec": spec}, None if old is None else {"spec": old})


def _texts(schema: Object, spec: Object, old: Object | None = None) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in _verdict(schema, spec, old).causes]


def test_a_schema_without_rules_has_no_places() -> None:
    assert places(_spec(a=_STRING)) is None


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        (_with(_INT, _rule("self > 1")), 1, "spec.part: Invalid value: 1: failed rule: self > 1"),
        (_with(_STRING, _rule("self == 'b'", message=" no ")), "a", 'spec.part: Invalid value: "a": no'),
        (
            {"type": "array", "items": _with(_INT, _rule("self > 1"))},
            [2, 1],
            "spec.part[1]: Invalid value: 1: failed rule: self > 1",
        ),
        (
            {"type": "object", "additionalProperties": _with(_STRING, _rule("self != ''"))},
            {"x.y/z": ""},
            "spec.part[x.y/z]: Invalid value: \"\": failed rule: self != ''",
        ),
        (
            _with({"type": "object", "properties": {"a": _INT, "b": _INT}}, _rule("self.a < self.b")),
            {"a": 2, "b": 1},
            "spec.part: Invalid value: failed rule: self.a < self.b",
        ),
        (
            _with({"type": "number"}, _rule("type(self) == double && self / 2.0 == 1.0")),
            3,
            "spec.part: Invalid value: 3: failed rule: type(self) == double && self / 2.0 == 1.0",
        ),
        (
            _with({"type": "string", "format": "duration"}, _rule("self < duration('1h')")),
            "2h",
            "spec.part: Invalid value: \"2h\": failed rule: self < duration('1h')",
        ),
        (
            _with({"x-kubernetes-int-or-string": True}, _rule("type(self) == int ? self > 5 : self == '5'")),
            "6",
            "spec.part: Invalid value: \"6\": failed rule: type(self) == int ? self > 5 : self == '5'",
        ),
        (
            {**_STRING, "allOf": [{"x-kubernetes-validations": [_rule("self == 'b'")]}]},
            "a",
            "spec.part: Invalid value: \"a\": failed rule: self == 'b'",
        ),
    ],
)
def test_rules_at_every_level(part: Object, value: Any, text: str) -> None:
    assert _texts(_spec(part=part), {"part": value}) == [text]


def test_the_root_knows_its_name_and_nothing_else_of_its_metadata() -> None:
    schema = {**_spec(a=_STRING), "x-kubernetes-validations": [_rule("self.metadata.name == 'default'")]}
    root = places(schema)
    assert root is not None
    found = verdict(root, {"kind": "K", "metadata": {"name": "x"}, "spec": {}}, None)
    assert [str(cause.field) for cause in found.causes] == ["<nil>"]
    assert not verdict(root, {"kind": "K", "metadata": {"name": "default"}}, None).causes


def test_null_and_absence_are_not_judged() -> None:
    schema = _spec(part=_with({**_STRING, "nullable": True}, _rule("self == 'b'")))
    assert _texts(schema, {"part": None}) == _texts(schema, {}) == []


def test_messages_reasons_and_paths() -> None:
    part = _with(
        {"type": "object", "properties": {"a": _INT, "m": {"type": "object", "additionalProperties": _INT}}},
        _rule("self.a > 5", messageExpression="'a is ' + string(self.a)", reason="FieldValueForbidden"),
        _rule("self.a > 6", message="too small", fieldPath=".a", reason="FieldValueRequired"),
        _rule("self.a > 7", message="plain", messageExpression="''", fieldPath=".m['k']"),
        _rule("self.a > 8", message="doubled", reason="FieldValueDuplicate"),
        _rule("self.a > 9", message="whole", messageExpression="string(1 / (self.a - 1))"),
    )
    assert _texts(_spec(part=part), {"part": {"a": 1}}) == [
        "spec.part: Forbidden: a is 1",
        "spec.part.a: Required value: too small",
        "spec.part.m[k]: Invalid value: plain",
        "spec.part: Duplicate value",
        "spec.part: Invalid value: whole",
    ]


def test_a_rule_without_a_value_refuses() -> None:
    part = _with({"type": "object", "properties": {"a": _INT}}, _rule("self.a > 1"), _rule("dyn(self) + 1 == 2"))
    assert _texts(_spec(part=part), {"part": {}}) == [
        'spec.part: Invalid value: "object": no such key: a evaluating rule: self.a > 1',
        "spec.part: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, "
        "function or macro signature for rule: dyn(self) + 1 == 2",
    ]


class TestBeforeAndAfter:
    def test_what_was_not_there_is_not_compared(self) -> None:
        schema = _spec(part=_with(_INT, _rule("self >= oldSelf")))
        assert _texts(schema, {"part": 1}) == _texts(schema, {"part": 1}, {}) == []
        assert _texts(schema, {"part": 1}, {"part": 2}) == ["spec.part: Invalid value: 1: failed rule: self >= oldSelf"]

    def test_unless_the_rule_asks_for_it(self) -> None:
        rule = _rule("oldSelf.hasValue() ? self == oldSelf.value() : self == 1", optionalOldSelf=True)
        schema = _spec(part=_with(_INT, rule))
        assert _texts(schema, {"part": 1}) == _texts(schema, {"part": 5}, {"part": 5}) == []
        assert _texts(schema, {"part": 2}) and _texts(schema, {"part": 1}, {"part": 5})

    def test_items_are_the_same_by_their_keys(self) -> None:
        item = {"type": "object", "properties": {"name": _STRING, "size": _with(_INT, _rule("self == oldSelf"))}}
        parts = {
            "type": "array",
            "items": item,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        }
        old = {"parts": [{"name": "a", "size": 1}, {"name": "b", "size": 2}]}
        swapped = {"parts": [{"name": "b", "size": 2}, {"name": "c", "size": 9}, {"name": "a", "size": 3}]}
        assert _texts(_spec(parts=parts), swapped, old) == [
            "spec.parts[2].size: Invalid value: 3: failed rule: self == oldSelf"
        ]

    def test_values_of_maps_are_the_same_by_their_keys(self) -> None:
        sizes = {"type": "object", "additionalProperties": _with(_INT, _rule("self >= oldSelf"))}
        assert _texts(_spec(sizes=sizes), {"sizes": {"a": 1, "b": 1}}, {"sizes": {"a": 2}}) == [
            "spec.sizes[a]: Invalid value: 1: failed rule: self >= oldSelf"
        ]


class TestRatcheting:
    _PART = _with({"type": "object", "properties": {"a": _INT, "b": _INT}}, _rule("self.a > 5", message="small"))

    def test_what_did_not_change_is_a_warning(self) -> None:
        found = _verdict(_spec(part=self._PART, other=_INT), {"part": {"a": 1}, "other": 2}, {"part": {"a": 1}})
        assert (found.causes, found.warnings) == ([], ["spec.part: Invalid value: small"])

    def test_what_changed_in_another_field_counts(self) -> None:
        assert _texts(_spec(part=self._PART), {"part": {"a": 1, "b": 2}}, {"part": {"a": 1}})

    def test_items_without_keys_count_once_their_list_changed(self) -> None:
        schema = _spec(parts={"type": "array", "items": self._PART}, other=_INT)
        assert _texts(schema, {"parts": [{"a": 1}], "other": 1}, {"parts": [{"a": 1}]}) == []
        assert _texts(schema, {"parts": [{"a": 1}, {"a": 6}]}, {"parts": [{"a": 1}]})

    def test_a_rule_about_a_change_is_never_passed_over(self) -> None:
        part = _with(_INT, _rule("self > oldSelf"))
        assert _texts(_spec(part=part), {"part": 1}, {"part": 1})


class TestBudgets:
    def test_one_rule_that_costs_too_much_ends_the_checks(self) -> None:
        bomb = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"
        schema = _spec(list=_with({"type": "array", "items": _INT}, _rule(bomb), _rule("size(self) == 0")))
        (text,) = _texts(schema, {"list": list(range(2000))})
        assert text == (
            "spec.list: Invalid value: \"array\": 'operation cancelled: actual cost limit exceeded': no further "
            f"validation rules will be run due to call cost exceeds limit for rule: {bomb}"
        )

    def test_many_rules_share_a_budget(self) -> None:
        each = _with({"type": "array", "items": _INT}, _rule("self.all(a, self.all(b, a + b >= 0))"))
        schema = _spec(lists={"type": "array", "items": each})
        texts = _texts(schema, {"lists": [list(range(300))] * 60})
        assert texts[-1].endswith(
            "validation failed due to running out of cost budget, no further validation rules will be run"
        )
        assert len(texts) == 1
