"""The algebra of server-side apply: what it may never do, whatever the objects are."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairway.kernel.objects import applying, fields
from fairway.kernel.objects.applying import APPLY, Owner
from fairway.kernel.objects.topology import Place

KEYED = {
    "items": {"properties": {"name": {"type": "string"}}},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
PLACE = Place({"properties": {"list": KEYED, "set": {"items": {}, "x-kubernetes-list-type": "set"}}})
ONE, TWO = Owner("one", APPLY, "v1"), Owner("two", APPLY, "v1")

scalars = st.integers(0, 3) | st.sampled_from(["x", "y"])
elements = st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"v": scalars, "w": scalars})
objects = st.fixed_dictionaries(
    {},
    optional={
        "a": scalars,
        "map": st.dictionaries(st.sampled_from("pq"), scalars, max_size=2),
        "list": st.lists(elements, max_size=3, unique_by=lambda item: item["name"]),
        "set": st.lists(st.sampled_from("mn"), max_size=2, unique=True),
        "whole": st.lists(scalars, max_size=2),
    },
)


def applied(live: Any, wanted: Any, owners: Any, owner: Owner) -> Any:
    return applying.apply(live, wanted, owners, owner, PLACE, force=True, ignored=())


@given(objects)
def test_fields_survive_their_wire_form(obj: Any) -> None:
    found = set(fields.leaves(obj, PLACE))
    assert fields.paths(fields.wire(found)) == found


@given(objects, st.lists(elements, max_size=3), st.sampled_from([(), ("list",), ("map", "p")]))
def test_all_fields_of_a_new_object_are_what_its_leaves_say(obj: Any, twice: list[Any], path: tuple[str, ...]) -> None:
    obj = {**obj, "map": {**obj.get("map", {}), "empty": {}}, "list": [*obj.get("list", ()), *twice]}
    hidden = [tuple(f"f:{name}" for name in path)] if path else []
    without: fields.Without = {}
    for name in reversed(path):
        without = {name: without}
    assert fields.whole(obj, PLACE, without) == fields.wire(applying.all_of(obj, PLACE, hidden))
    assert list(fields.whole(obj, PLACE, {})) == sorted(fields.whole(obj, PLACE, {}))


@given(objects, objects)
def test_what_is_wanted_is_there_afterwards_and_twice_is_once(live: Any, wanted: Any) -> None:
    before = copy.deepcopy(live)
    result, owners = applied(live, wanted, {}, ONE)
    assert live == before
    there = fields.leaves(result, PLACE)
    assert _full(fields.leaves(wanted, PLACE)).items() <= there.items()
    assert applied(result, wanted, owners, ONE) == (result, owners)


@given(objects, objects)
def test_an_owner_that_wants_nothing_more_leaves_nothing_of_its_own(first: Any, second: Any) -> None:
    result, owners = applied({}, first, {}, ONE)
    result, owners = applied(result, second, owners, ONE)
    alone, _ = applied({}, second, {}, ONE)
    assert _full(fields.leaves(result, PLACE)) == _full(fields.leaves(alone, PLACE))


@given(objects, objects, objects)
def test_nobody_loses_what_another_one_stops_wanting(mine: Any, theirs: Any, later: Any) -> None:
    result, owners = applied({}, mine, {}, ONE)
    result, owners = applied(result, theirs, owners, TWO)
    before = fields.leaves(result, PLACE)
    result, owners = applied(result, later, owners, TWO)
    there, said = fields.leaves(result, PLACE), fields.leaves(later, PLACE)
    held = {path: before[path] for path in owners.get(ONE, ()) if path in before and path not in said}
    assert _full(held).items() <= there.items()


def _full(found: dict[Any, Any]) -> dict[Any, Any]:
    """Without empty containers, which may stay where their last member went."""
    return {path: value for path, value in found.items() if value not in ({}, [])}


def test_long_lists_are_laid_over_in_time_that_grows_with_them() -> None:
    words = [str(number) for number in range(200_000)]
    assert applying.laid_over({"set": words}, {"set": words[::-1]}, PLACE)["set"] == words[::-1]
