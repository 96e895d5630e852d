"""Strategic merge patches: which lists merge, in which order, and what each directive does."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kernel.objects import strategic
from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.topology import Place

MERGED = {"x-kubernetes-patch-strategy": "merge"}
ITEM = {"properties": {"name": {}, "inner": {"$ref": "#/definitions/list"}}}
PLACE = Place(
    {
        "properties": {
            "items": {"$ref": "#/definitions/list"},
            "words": {"items": {"type": "string"}, **MERGED},
            "whole": {"items": {}},
            "union": {"properties": {"type": {}, "a": {}, "b": {}}, "x-kubernetes-patch-strategy": "retainKeys"},
            "blob": {"x-kubernetes-patch-strategy": "replace"},
        }
    },
    {"list": {"items": {"$ref": "#/definitions/item"}, **MERGED, "x-kubernetes-patch-merge-key": "name"}, "item": ITEM},
)


def names(*letters: str, **fields: Any) -> list[Any]:
    return [{"name": letter, **fields} for letter in letters]


@pytest.mark.parametrize(
    ("old", "patch", "new"),
    [
        ({"words": ["a", "b"]}, {"words": ["b", "c"]}, {"words": ["a", "b", "c"]}),
        ({"whole": names("a")}, {"whole": names("b")}, {"whole": names("b")}),
        ({"blob": {"a": 1}}, {"blob": {"b": 2}}, {"blob": {"b": 2}}),
        ({"items": names("a")}, {"items": [{"name": "a", "inner": names("x")}]},
         {"items": [{"name": "a", "inner": names("x")}]}),
        ({"items": [{"name": "a", "inner": names("x", "y")}]},
         {"items": [{"name": "a", "inner": [{"name": "x", "$patch": "delete"}]}]},
         {"items": [{"name": "a", "inner": names("y")}]}),
        ({"items": names("a", "b")}, {"items": [{"$patch": "replace"}, {"name": "c"}]}, {"items": names("c")}),
        ({"union": {"type": "A", "a": 1}}, {"union": {"$retainKeys": ["type", "b"], "type": "B", "b": 2}},
         {"union": {"type": "B", "b": 2}}),
        ({"union": {"a": 1}}, {"union": {"$patch": "replace", "b": 2}}, {"union": {"b": 2}}),
        ({"union": {"a": 1}}, {"union": {"$patch": "delete"}}, {"union": {}}),
        ({"words": ["a", "b"]}, {"$deleteFromPrimitiveList/words": ["a"]}, {"words": ["b"]}),
        ({}, {"$deleteFromPrimitiveList/words": ["a"]}, {}),
        ({"a": 1}, {"a": None, "b": None}, {}),
        ({}, {"union": {"a": None, "b": 1}}, {"union": {"b": 1}}),
    ],
)  # fmt: skip
def test_each_part_is_merged_as_its_place_says(old: Any, patch: Any, new: Any) -> None:
    assert strategic.merge(old, patch, PLACE) == new


@pytest.mark.parametrize(
    ("old", "patch", "order", "new"),
    [
        ("ab", "ca", "", "cab"),  # the patch's own keep its order; b had a place behind a
        ("abc", "", "cba", "cba"),
        ("abx", "c", "bca", "bcax"),  # x was behind a, and stays there
        ("xab", "", "ba", "xba"),
    ],
)
def test_the_order_of_the_patch_wins_and_the_rest_keeps_its_place(old: str, patch: str, order: str, new: str) -> None:
    asked: dict[str, Any] = {"items": names(*patch)} if patch else {}
    if order:
        asked["$setElementOrder/items"] = names(*order)
    merged = strategic.merge({"items": names(*old)}, asked, PLACE)
    assert "".join(item["name"] for item in merged["items"]) == new


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"items": [{"inner": []}]}, "items: each element needs name"),
        ({"items": ["a"]}, "items: each element needs name"),
        ({"items": [{"name": "a", "$patch": "merge"}]}, "can be replace or delete"),
        ({"$patch": "sideways"}, "can be replace or delete"),
        ({"union": {"$retainKeys": ["a"], "b": 1}}, r"union\.b: the patch sets a field"),
        ({"$deleteFromPrimitiveList/words": "a"}, "is a list"),
        ({"items": names("b", "a"), "$setElementOrder/items": names("a", "b")}, "doesn't match"),
        ({"items": names("b"), "$setElementOrder/items": names("a")}, "doesn't match"),
    ],
)
def test_a_patch_that_means_nothing_is_refused(patch: Any, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        strategic.merge({"items": names("a"), "words": ["a"], "union": {}}, patch, PLACE)


letters = st.lists(st.sampled_from("abcdef"), unique=True)


@given(letters, letters)
def test_a_merge_leaves_its_target_alone_and_twice_is_once(old: list[str], patch: list[str]) -> None:
    target, asked = {"items": names(*old), "words": list(old)}, {"items": names(*patch, x=1), "words": list(patch)}
    before = copy.deepcopy(target)
    once = strategic.merge(target, asked, PLACE)
    assert target == before
    assert strategic.merge(once, asked, PLACE) == once
    assert sorted(item["name"] for item in once["items"]) == sorted({*old, *patch})


def test_long_lists_are_merged_in_time_that_grows_with_them() -> None:
    old = {"items": names(*map(str, range(40_000))), "words": [str(number) for number in range(40_000)]}
    turned = {"items": old["items"][::-1], "words": old["words"][::-1], "$setElementOrder/items": old["items"][::-1]}
    merged = strategic.merge(old, turned, PLACE)
    assert (merged["items"][0], merged["words"][0]) == ({"name": "39999"}, "39999")
    assert strategic.merge(old, {"$deleteFromPrimitiveList/words": old["words"]}, PLACE)["words"] == []
