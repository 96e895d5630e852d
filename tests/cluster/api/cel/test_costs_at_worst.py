"""What an expression may cost at worst, by the sizes that its schema allows: upstream's numbers, to the unit."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.cluster.api.cel.costs.extents import extent_of
from fairway.cluster.api.cel.program import compile_expression
from fairway.cluster.api.cel.schema_types import type_of
from fairway.kernel.objects.kinds import Object

_STRING, _NUMBER, _INT = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_OBJECT = {"type": "object", "properties": {"a": _STRING, "b": _STRING}, "required": ["a"]}


def _array(items: Object, most: int | None = None) -> Object:
    return {"type": "array", "items": items, **({} if most is None else {"maxItems": most})}


def _map(values: Object, most: int | None = None) -> Object:
    return {"type": "object", "additionalProperties": values, **({} if most is None else {"maxProperties": most})}


def _text(most: int | None = None, **more: Any) -> Object:
    return {"type": "string", **more, **({} if most is None else {"maxLength": most})}


def _worst(schema: Object, rule: str, *, resource: bool = False) -> int:
    type_, extent = type_of(schema, resource=resource, name="self"), extent_of(schema, resource=resource)
    assert type_ is not None and extent is not None
    return compile_expression(rule, {"self": type_, "oldSelf": type_}, extent=extent).worst


@pytest.mark.parametrize(
    ("schema", "rule", "cost"),
    [
        (_array(_NUMBER), "self.all(x, true)", 4718591),
        (_array(_NUMBER, 10), "self.all(x, true)", 32),
        (_array(_STRING), "self.all(x, true)", 3145727),
        (_array({"type": "boolean"}), "self.all(x, true)", 1887437),
        (_array(_text(format="duration")), "self.all(x, true)", 2359295),
        (_array(_text(format="date")), "self.all(x, true)", 725936),
        (_array(_text(format="date-time")), "self.all(x, true)", 428963),
        (_map(_NUMBER), "self.all(x, true)", 1348169),
        (_map({"x-kubernetes-int-or-string": True}), "self.all(x, true)", 1348169),
        (_map(_array(_NUMBER)), "self.all(x, true)", 1179647),
        (_array(_NUMBER, 10), "self.all(x, self.all(y, true))", 352),
        (_array(_NUMBER, 10), "self.all(x, self.all(y, self.all(z, true)))", 3552),
        (_array(_map(_NUMBER), 12), "self.all(x, x.y == 25.2)", 74),
        (_text(), "self.contains('test')", 314574),
        (_text(10), "self.contains('test')", 5),
        (_text(), "self.startsWith('test')", 2),
        (_text(), 'size(self + "hello") > size("hello")', 314578),
        (_text(), 'self.matches("x")', 314574),
        (_text(50), 'self.matches("x")', 22),
        (_text(enum=["A", "LongValue"]), "self.contains('A')", 2),
        (_text(1000, enum=["A"]), "self.contains('A')", 401),
        (_text(0, format="byte"), 'self == b"x"', 1),
        (_array(_STRING), "self[1] == self[1]", 314577),
        (_array(_array(_NUMBER)), "self[0][0] == -1.0", 3),
        (_array(_text(format="duration")), "self[0].getHours() == 2", 4),
        (_map(_text(format="date-time")), 'self["a"] == self["b"]', 8),
        (_map(_INT), "oldSelf.size() == self.size()", 5),
        (_map(_text(10), 10), "self.all(x, x.contains(self[x]))", 72),
        (_array(_map(_OBJECT, 10), 10), 'self.all(x, x["y"].a == "z")', 72),
        (_array(_text(10), 10), "self.join(' ') == 'aa bb'", 43),
        (_array(_text(10), 10), "self.isSorted()", 51),
        (_text(10), "self.find('[0-9]+') == ''", 11),
        (_text(10), "self.lowerAscii() == 'lower!'", 6),
        ({"x-kubernetes-int-or-string": True, "maxLength": 20}, "isQuantity(self)", 9),
    ],
)
def test_sizes_come_from_the_schema(schema: Object, rule: str, cost: int) -> None:
    assert _worst(schema, rule) == cost


@pytest.mark.parametrize(
    ("expression", "cost"),
    [
        ("[1, 2, 3, 4, 5].sum() > 0", 16),
        ("[1, 2, 3].map(x, x * 2).size() == 3", 65),
        ("[1, 2, 3].filter(x, x > 1).size() == 2", 68),
        ("[1, 2].exists(x, x > 1)", 23),
        ("[1, 2].exists_one(x, x > 1)", 20),
        ("{'a': 1, 'b': 2}.all(k, v, v > 0)", 41),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v < 5, v + 1).size() > 0", 77),
        ("'abc 123 def 123'.split(' ').size() > 1", 5),
        ("'ABCDEFGHIJ abcdefghij'.lowerAscii() == 'abcdefghij ABCDEFGHIJ'.lowerAscii()", 9),
        ("quantity('50k').add(20).sub(quantity('100k')).sub(-50000).asInteger() > 0", 7),
        ("format.named('dns1123Label').value().validate('my-name').hasValue()", 35),
        ("sets.contains([1, 2, 3, 4], [2, 3])", 29),
        ("sets.equivalent([1], [1, 1])", 25),
        ("cidr('192.168.0.0/16').containsIP('192.169.0.1')", 8),
        ("semver('1.0.0').isLessThan(semver('1.1.0'))", 3),
        ("has(self.a) ? self.a == 'x' : true", 4),
    ],
)
def test_functions_and_macros_cost_what_they_walk(expression: str, cost: int) -> None:
    assert _worst(_OBJECT, expression) == cost


def test_names_of_objects_are_no_longer_than_names_may_be() -> None:
    assert _worst({"type": "object"}, "self.metadata.name.contains('x')", resource=True) == 3 + 102


def test_what_nobody_can_bound_is_as_dear_as_it_gets() -> None:
    assert _worst(_OBJECT, "quantity(self.a) != quantity(self.b)") > 10**15


def test_how_often_a_value_may_be_follows_from_the_least_that_it_takes() -> None:
    found = extent_of(_OBJECT)
    assert found is not None and (found.bytes, found.times) == (9, 314572)
