"""Whatever somebody writes as an expression: it is refused, or it has a value, or it has none. Nothing else happens."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.cluster.api.cel.costs.extents import Extent
from fairway.cluster.api.cel.costs.sizes import MOST
from fairway.cluster.api.cel.library import table
from fairway.cluster.api.cel.program import DYN, CompileError, EvaluationError, OutOfBudget, compile_expression
from fairway.cluster.api.cel.values import equal

_VALUES = [
    "duration('1h')",
    "timestamp('2020-01-01T00:00:00Z')",
    "optional.none()",
    "ip('::1')",
    "quantity('1k')",
    "int",
]
_LEAVES = st.sampled_from(
    [
        "x",
        "x.a",
        "x.b",
        "1",
        "-2",
        "3u",
        "1.5",
        "'a'",
        "b'a'",
        "true",
        "null",
        "[]",
        "{}",
        "[1, 2]",
        "{'a': 1}",
        *_VALUES,
    ]
)
_FUNCTIONS = sorted(name for name in table.functions() if name[0].isalpha())
_MEMBERS = [name for name in _FUNCTIONS if "." not in name]
_LOOPS = ["all", "exists", "exists_one", "map", "filter", "sortBy", "optMap", "optFlatMap"]


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||", "in"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("{}({})".format, st.sampled_from(_FUNCTIONS), inner),
        st.builds("{}({}, {})".format, st.sampled_from(_FUNCTIONS), inner, inner),
        st.builds("{}.{}()".format, inner, st.sampled_from(_MEMBERS)),
        st.builds("{}.{}({})".format, inner, st.sampled_from(_MEMBERS), inner),
        st.builds("{}.{}(y, {})".format, inner, st.sampled_from(_LOOPS), inner),
        st.builds("{}.transformMap(k, y, {})".format, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}.?a".format, inner),
        st.builds("dyn({})".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
    )


_EXTENT = Extent(fields={"a": Extent(5), "b": Extent(3, element=Extent(4))})
_EXPRESSIONS = st.recursive(_LEAVES, _larger, max_leaves=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


def _run(expression: str, value: Any) -> None:
    try:
        program = compile_expression(expression, {"x": DYN, "y": DYN, "k": DYN}, extent=_EXTENT)
        assert 0 <= program.worst <= MOST
        program.evaluate({"x": value}, 20_000)
    except (CompileError, EvaluationError, OutOfBudget) as refused:
        assert str(refused)


@given(_EXPRESSIONS, _JSON)
@settings(max_examples=300, deadline=None)
def test_expressions_of_every_kind(expression: str, value: Any) -> None:
    _run(expression, value)


@given(st.text(max_size=40) | st.text(st.sampled_from("x.()[]{}'\"\\?:&|=!<>+-*/%,1ub \n"), max_size=30))
@settings(max_examples=300, deadline=None)
def test_texts_of_every_kind(text: str) -> None:
    _run(text, {"a": 1})


@given(_JSON, _JSON)
@settings(max_examples=200, deadline=None)
def test_equality_is_the_same_from_both_sides(one: Any, other: Any) -> None:
    assert equal(one, one)
    assert equal(one, other) == equal(other, one)
