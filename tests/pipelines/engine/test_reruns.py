"""What runs again when steps are chosen, what is different for them, and that the rest is taken as it was."""

from __future__ import annotations

from typing import Any

import pytest
from specs import In, Out, Spec, final_status, task
from test_deciding import World, good

from fairway.pipelines import ir
from fairway.pipelines.render import places
from fairway.pipelines.render.model import Known, State
from fairway.pipelines.render.places import Overrides, UnknownPlace
from fairway.pipelines.render.reruns import Again


def document() -> dict[str, Any]:
    """Every kind of scope: a nested pipeline, a condition, loops in loops, a loop of one step, an exit handler."""
    spec = Spec().step("s", {"x": (str, None)}, {"Output": str}).step("list", outputs={"Output": list})
    spec.step("mail", {"status": "TASK_FINAL_STATUS"})
    one = {"item": int}
    inner = {"first": task("s"), "second": task("s", after=("first",)), "alone": task("s")}
    spec.dag("nested", inner, {"x": (str, None)}, {"Output": str}, Output=Out("second"))
    spec.dag("branch", {"yes": task("s")}, {"x": str})
    spec.dag("deep", {"leaf": task("s"), "next": task("s", after=("leaf",))}, one)
    spec.dag("body", {"train": task("s"), "test": task("s", after=("train",)), "deep": task("deep", each=[1, 2])}, one)
    work = {
        "items": task("list"),
        "loop": task("body", {"items": Out("items")}, each=In("items")),
        "free": task("s"),
        "after-loop": task("s", after=("loop",)),
    }
    spec.components["body"]["inputDefinitions"]["parameters"]["items"] = {"parameterType": "LIST"}
    spec.dag("exit-handler-1", work)
    spec.step("single", {"item": int})
    tasks = {
        "prepare": task("s", {"x": In("x")}),
        "nested": task("nested", {"x": Out("prepare")}),
        "branch": task(
            "branch",
            {"x": Out("nested")},
            condition="inputs.parameter_values['x'] == 'nested/second'",
            after=("nested",),
        ),
        "each": task("single", each=[1, 2, 3]),
        "exit-handler-1": task("exit-handler-1"),
        "mail": task("mail", {"status": final_status("exit-handler-1")}, after=("exit-handler-1",), tolerant=True),
        "last": task("s", after=("branch", "each")),
    }
    return spec.compiled(tasks, {"x": (str, "nothing")})


def whole(**given: Any) -> World:
    def end(each: Any) -> Any:
        outcome = good(each)
        return type(outcome)(True, {"Output": [1, 2]}) if each.name == "items" else outcome

    return World(document(), end, **given).settle()


ALL = {each.path for each in whole().graph.instances.values() if not each.is_scope}
LOOP = "exit-handler-1/loop"


def again(*chosen: str, changed: tuple[str, ...] = ()) -> set[str]:
    pipeline = ir.load(document())
    found = Again(pipeline, [places.find(pipeline, path) for path in chosen], changed)
    return {path for path in ALL if path in found}


def test_the_example_has_what_it_says() -> None:
    assert whole().graph.state is State.SUCCEEDED
    assert len(ALL) == 25


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (["last"], {"last"}),
        (["mail"], {"mail"}),
        (["branch/yes"], {"branch/yes", "last"}),
        (["nested/alone"], {"nested/alone", "branch/yes", "last"}),
        (["nested/first"], {"nested/first", "nested/second", "branch/yes", "last"}),
        (["nested"], {"nested/first", "nested/second", "nested/alone", "branch/yes", "last"}),
        (["each[1]"], {"each[1]", "last"}),
        (["each"], {"each[0]", "each[1]", "each[2]", "last"}),
        (["exit-handler-1/free"], {"exit-handler-1/free", "mail"}),
        ([f"{LOOP}[1]/test"], {f"{LOOP}[1]/test", "exit-handler-1/after-loop", "mail"}),
        (
            [f"{LOOP}[1]/train"],
            {f"{LOOP}[1]/train", f"{LOOP}[1]/test", "exit-handler-1/after-loop", "mail"},
        ),
        (
            [f"{LOOP}/train"],
            {
                *(f"{LOOP}[{number}]/{name}" for number in (0, 1) for name in ("train", "test")),
                "exit-handler-1/after-loop",
                "mail",
            },
        ),
        (
            [f"{LOOP}[0]/deep[1]/leaf"],
            {f"{LOOP}[0]/deep[1]/leaf", f"{LOOP}[0]/deep[1]/next", "exit-handler-1/after-loop", "mail"},
        ),
        (
            [f"{LOOP}/deep[1]/leaf"],
            {
                *(f"{LOOP}[{number}]/deep[1]/{name}" for number in (0, 1) for name in ("leaf", "next")),
                "exit-handler-1/after-loop",
                "mail",
            },
        ),
        (
            [f"{LOOP}[0]"],
            {path for path in ALL if path.startswith(f"{LOOP}[0]/")} | {"exit-handler-1/after-loop", "mail"},
        ),
        (
            ["exit-handler-1/items"],
            {path for path in ALL if "/" in path and "exit" in path and "free" not in path} | {"mail"},
        ),
        (["mail", "each[0]"], {"mail", "each[0]", "last"}),
    ],
)
def test_what_follows_a_step_runs_again(chosen: list[str], expected: set[str]) -> None:
    assert again(*chosen) == expected


def test_a_changed_parameter_of_the_run_chooses_the_steps_that_take_it() -> None:
    assert again(changed=("x",)) == again("prepare")
    assert again(changed=("other",)) == set()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nope", "in the pipeline there are branch, each, exit-handler-1, last, mail, nested, prepare"),
        ("nested/nope", "in nested there are alone, first, second"),
        ("last/nope", "last has no steps inside"),
        ("last[1]", "last is no loop"),
        ("", "is not the path of a step"),
        ("nested//first", "is not the path of a step"),
    ],
)
def test_an_unknown_step_is_answered_with_what_there_is(path: str, said: str) -> None:
    with pytest.raises(UnknownPlace, match=said):
        places.find(ir.load(document()), path)


def taken(world: World, *chosen: str) -> dict[str, Known]:
    """What the records of a new run hold at its start: the leaves that stay."""
    gone = again(*chosen)
    return {
        each.id: Known(state=State.CACHED, cached_from="old", created_at=1.0, outputs=each.outputs)
        for each in world.graph.instances.values()
        if not each.is_scope and each.path not in gone
    }


@pytest.mark.parametrize("chosen", sorted(ALL))
def test_a_graph_takes_what_stays_as_known_and_runs_the_rest(chosen: str) -> None:
    first = whole()
    second = whole(known=taken(first, chosen), overrides=Overrides({chosen: {}}))
    assert {path.partition("#")[0] for path in second.order} == again(chosen)
    assert second.graph.state is State.SUCCEEDED
    outputs = {each.path: each.outputs.parameters for each in second.graph.instances.values()}
    assert outputs == {each.path: each.outputs.parameters for each in first.graph.instances.values()}


def test_inputs_are_changed_for_one_step_for_one_iteration_and_for_all() -> None:
    overrides = {"prepare": {"x": "other"}, f"{LOOP}/train": {"x": "all"}, f"{LOOP}[1]/train": {"x": "one"}}
    world = whole(overrides=Overrides(overrides))
    assert world.at("prepare").inputs.parameters == {"x": "other"}
    assert world.at(f"{LOOP}[0]/train").inputs.parameters == {"x": "all"}
    assert world.at(f"{LOOP}[1]/train").inputs.parameters == {"x": "one"}
    assert world.at(f"{LOOP}[1]/test").inputs.parameters == {}


def test_inputs_of_scopes_and_items_of_loops_are_changed_and_conditions_see_them() -> None:
    world = whole(overrides=Overrides({"branch": {"x": "no"}, LOOP: {"items": [7]}, "each[1]": {"item": 20}}))
    assert world.at("branch").state is State.SKIPPED
    assert world.at(LOOP).iterations == 1
    assert [world.at(f"each[{number}]").inputs.parameters["item"] for number in range(3)] == [1, 20, 3]


def test_null_takes_a_value_away_and_a_wrong_one_fails_the_step() -> None:
    assert whole(overrides=Overrides({"prepare": {"x": None}})).at("prepare").inputs.parameters == {}
    wrong = whole(overrides=Overrides({LOOP: {"items": "text"}}))
    assert "expected a list, got the string" in wrong.at(LOOP).message


def test_a_named_step_and_what_is_inside_of_it_is_not_taken_from_the_cache() -> None:
    spec = Spec().step("s")
    spec.dag("body", {"in": task("s", cached=True)}, {"item": int})
    spec = spec.compiled({"a": task("s", cached=True), "b": task("body", each=[1, 2]), "c": task("s", cached=True)})
    first = World(spec).settle()
    cache = {each.fingerprint: first.hit(each) for each in first.graph.instances.values() if each.fingerprint}
    second = World(spec, cache=cache, overrides=Overrides({"a": {}, "b[1]": {}})).settle()
    assert second.order == ["a#0", "b[1]/in#0"]
    assert second.at("a").fingerprint
