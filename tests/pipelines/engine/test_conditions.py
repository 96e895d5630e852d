"""Conditions and selectors: CEL as pipelines use it."""

import pytest

from fairway.pipelines.ir.expressions import ExpressionError, compiled, holds, selected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.parameter_values['coin'] == 'heads'", True),
        ("inputs.parameter_values['coin'] != \"heads\"", False),
        ("!(inputs.parameter_values['coin'] == 'tails')", True),
        ("int(inputs.parameter_values['n']) > 4 && int(inputs.parameter_values['n']) <= 5", True),
        ("inputs.parameter_values['yes'] == true || inputs.parameter_values['gone'] == 1", True),
        ("inputs.parameter_values['yes'] == 1", False),  # a boolean is not a number, as in CEL
        ("inputs.parameter_values['n'] == '5'", False),
        ("double(inputs.parameter_values['half']) < 0.75", True),
        ("inputs.parameter_values['n'] > -1", True),
        ("string(inputs.parameter_values['n']) == '5'", True),
        ("inputs.parameter_values['empty'] == ''", True),
        ("inputs.parameter_values['nothing'] == null", True),
    ],
)
def test_conditions_hold_as_in_cel(condition: str, expected: bool) -> None:
    values = {"coin": "heads", "n": 5, "yes": True, "half": "0.5", "empty": "", "nothing": None}
    assert holds(condition, values) is expected


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("inputs.parameter_values['a'] + 1 == 2", "'+'"),
        ("inputs.parameter_values['a'].startsWith('x')", "startsWith"),
        ("inputs.parameter_values['a'] in ['x']", "'in'"),
        ("size(inputs.parameter_values['a']) == 1", "size()"),
        ("inputs.parameter_values['a'] ==", "ends too early"),
        ("(inputs.parameter_values['a'] == 1", "')'"),
    ],
)
def test_the_rest_of_cel_is_refused_by_name(condition: str, word: str) -> None:
    with pytest.raises(ExpressionError, match=r"supported|early|lacks") as refused:
        compiled(condition)
    assert word in str(refused.value)


@pytest.mark.parametrize(
    "condition",
    [
        "inputs.parameter_values['text'] < 5",
        "inputs.parameter_values['missing'] == 5",
        "int(inputs.parameter_values['text']) == 5",
        "inputs.parameter_values['text']",
    ],
)
def test_a_condition_without_a_value_is_an_error_and_not_false(condition: str) -> None:
    with pytest.raises(ExpressionError):
        holds(condition, {"text": "five"})


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 3000 + "true" + ")" * 3000,
        "!" * 3000 + "true",
        "string(" * 3000 + "1" + ")" * 3000,
        "inputs" + "[inputs" * 3000 + "]" * 3000,
        "inputs" + ".a" * 3000,
    ],
)
def test_an_expression_that_nobody_could_evaluate_is_refused(condition: str) -> None:
    with pytest.raises(ExpressionError, match="more than 50 levels deep"):
        compiled(condition)


def test_an_expression_may_join_as_much_as_it_likes() -> None:
    parts = [f"inputs.parameter_values['a'] == {number}" for number in range(3000)]
    assert holds(" || ".join(parts), {"a": 2999})
    assert not holds(" && ".join(parts), {"a": 2999})


def test_a_text_that_is_nested_too_deep_or_has_half_a_character_is_no_json() -> None:
    for written in ("[" * 100_000, '"\\ud800"'):
        with pytest.raises(ExpressionError, match="not JSON"):
            holds("parseJson(inputs.parameter_values['a']) == 1", {"a": written})


def test_selectors_take_parts_of_structs() -> None:
    assert selected('parseJson(string_value)["a"]', {"a": [1.0, 2]}) == [1, 2]
    assert selected('parseJson(string_value)["a"]["b"]', '{"a": {"b": "c"}}') == "c"
    with pytest.raises(ExpressionError, match="no 'x' among a"):
        selected('parseJson(string_value)["x"]', {"a": 1})
