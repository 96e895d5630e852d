"""Patches obey their algebra: applying a difference gives the other object; a patch never changes its target."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kernel.objects import patching
from fairway.kernel.objects.errors import BadRequest, Invalid

scalars = st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
objects = st.dictionaries(st.text(max_size=3), values, max_size=4)


@given(objects, objects)
def test_the_difference_leads_from_one_object_to_the_other(old: dict, new: dict) -> None:
    before = copy.deepcopy(old)
    assert patching.merge(old, patching.diff(old, new)) == new
    assert old == before


@given(objects)
def test_there_is_no_difference_to_oneself(obj: dict) -> None:
    assert patching.diff(obj, copy.deepcopy(obj)) == {}


def test_json_patch_leaves_its_target_alone() -> None:
    target = {"a": [1, {"b": 2}]}
    result = patching.json_patch(target, [{"op": "replace", "path": "/a/1/b", "value": 3}])
    assert result == {"a": [1, {"b": 3}]}
    assert target == {"a": [1, {"b": 2}]}


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], Invalid),
        ([{"op": "remove", "path": "/missing"}], Invalid),
        ([{"op": "add", "path": "/l/7", "value": 1}], Invalid),
        ([{"op": "add", "path": "no-slash", "value": 1}], BadRequest),
        ([{"op": "dance", "path": "/a"}], BadRequest),
        ([{"op": "copy", "from": "/l", "path": "/l/0"}] * 60, Invalid),  # each doubles what the next one copies
        ([{"op": "copy", "from": 5, "path": "/l/0"}], BadRequest),
        ([{"op": "move", "from": None, "path": "/l/0"}], BadRequest),
        ({"op": "add"}, BadRequest),
        (["x"], BadRequest),
    ],
)
def test_a_json_patch_that_cannot_be_applied_says_so(operations: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        patching.json_patch({"a": 1, "l": [1]}, operations)


def test_a_json_patch_may_copy_what_a_request_may_hold() -> None:
    copies = [{"op": "copy", "from": "/a", "path": f"/{number}"} for number in range(29)]
    assert len(patching.json_patch({"a": "x" * 100_000}, copies)) == 30
    with pytest.raises(Invalid, match="the accumulated size increase of copy"):
        patching.json_patch({"a": "x" * 100_000}, [*copies, *copies])
