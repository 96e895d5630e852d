"""Conditions as gjson reads them: what they lead to, and what is refused by name."""

from typing import Any

import pytest

from fairway.serving.graphs.router import paths, patterns

DOCUMENT: dict[str, Any] = {
    "name": {"first": "Ann", "last.name": "Lee"},
    "age": 37,
    "none": None,
    "fine": True,
    "empty": [],
    "instances": [
        {"modelId": "1", "intval": 3, "strval": "blue-server-1", "nested": [{"a": 1}]},
        {"modelId": "2", "intval": 12, "strval": "red-server-2", "nested": [{"a": 2}, {"a": 3}]},
    ],
    "predictions": [{"label": "dog", "score": [0.8, 0.2]}],
    "decision_picker": "ERROR",
}


@pytest.mark.parametrize(
    "path",
    [
        "name.first",
        "name.last\\.name",
        "na*.f?rst",
        "none",
        "empty",
        "instances.#",
        "instances.1.modelId",
        "instances.#.modelId",
        "instances.#.absent",  # an empty list, which is something
        'predictions.#(label=="dog")',
        "predictions.#(label==dog).score.1",
        'instances.#(modelId=="2").intval',
        "instances.#(intval>10)",
        "instances.#(intval>=12)",
        "instances.#(intval<4)",
        "instances.#(intval!=3)",
        "instances.#(strval%*red-server*)",
        'instances.#(strval!%"blue*")',
        "instances.#(nested.#(a==3))",
        "instances.#(modelId==9)#",  # all of none is an empty list
        "instances.#(nested)#.modelId",
        "[@this].#(decision_picker==ERROR)",
        "[@this].#(age>36)",
        "[@this].#(fine==true)",
        "[name.first,absent].#(=Ann)",
        "@this.age",
    ],
)
def test_it_leads_somewhere(path: str) -> None:
    assert paths.parse(path).leads_somewhere(DOCUMENT)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "absent",
        "name.absent",
        "age.more",
        "instances.2",
        "instances.first",
        "name.#",
        "empty.#(a==1)",
        'predictions.#(label=="cat")',
        'instances.#(modelId=="3")',
        "instances.#(intval>12)",
        "instances.#(strval%*green*)",
        "instances.#(modelId==2",
        "[@this].#(decision_picker==SUCCESS)",
        "[@this].#(none==null)",
        "[@this].#(fine==false)",
        "[@this].#(fine=<true)",
        "[@this].#(age==x)",
        "instances.#(absent)",
    ],
)
def test_it_leads_nowhere(path: str) -> None:
    try:
        found = paths.parse(path).leads_somewhere(DOCUMENT)
    except paths.Unreadable:
        found = False
    assert not found


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("a|b", "|"),
        ("a.@reverse", "@reverse"),
        ("@pretty", "@pretty"),
        ("{a,b}", "{"),
        ('!"x"', "!"),
        ("..#", ".."),
        ("a..b", ".."),
        ("a.", "ends with a dot"),
        ("a.#(b==~true)", "~"),
        ("a.#(b==1", "never closed"),
        ("a.#x", "neither # nor a query"),
        ("[a,b", "never closed"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(path: str, word: str) -> None:
    with pytest.raises(paths.Unreadable) as refused:
        paths.parse(path)
    assert word in str(refused.value)


def test_documents_that_are_no_objects() -> None:
    assert paths.parse("#(a==1)").leads_somewhere([{"a": 1}])
    assert not paths.parse("a").leads_somewhere(7)
    assert not paths.parse("#(a==1)").leads_somewhere("text")


def test_a_hostile_text_makes_no_pattern_slow() -> None:
    assert not patterns.fits("a" * 3_000, "*a*a*a*a*a*a*a*a*b")
