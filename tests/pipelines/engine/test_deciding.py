"""What follows from what, as pure tables: no process, no clock, no database. Steps end as the test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from player import facts
from specs import In, Out, Spec, final_status, task

from fairway.pipelines import ir
from fairway.pipelines.render import retrying
from fairway.pipelines.render.graph import Graph
from fairway.pipelines.render.model import Hit, Instance, Known, Outcome, State

End = Callable[[Instance], "Outcome | None"]
RUN = "3f0c7e86-52a5-4c49-9d5e-5f6f1f3c6a10"


class World:
    """A run whose steps end at once, by the function `end`; `None` leaves a step running."""

    def __init__(self, spec: Mapping[str, Any], end: End | None = None, **given: Any) -> None:
        self.end = end or good
        self.cache: dict[str, Hit] = given.pop("cache", {})
        known = given.pop("known", None)
        window = given.pop("window", 64)
        more = {name: given.pop(name) for name in ("overrides", "cache_by") if name in given}
        run = facts(Path("/root"), given.pop("parameters", {}), id=given.pop("run", RUN), **more)
        self.graph = Graph(ir.load(spec, given.pop("platform", None)), run, known, window=window)
        self.now, self.order = 0.0, []
        self.questions: list[str] = []
        self.wants: list[str] = []
        self.returns: list[str] = []
        self.stops: list[str] = []
        self.rows: dict[str, Known] = dict(known or {})
        if given.pop("paused", False):
            self.graph.pause(True, self.now)
        self.graph.begin(self.now)

    def settle(self) -> World:
        """Until nothing more follows, however long that takes."""
        while self.settle_once() and self.graph.next_tick is not None:
            self.now = self.graph.next_tick
            self.graph.tick(self.now)
        return self

    def settle_once(self) -> World:
        """Until nothing more follows at this time."""
        while True:
            decisions = self.graph.decide()
            self.rows |= {each.id: row(each) for each in decisions.changed.values()}
            for told in ("questions", "wants", "returns", "stops"):
                getattr(self, told).extend(each.path for each in getattr(decisions, told))
            if decisions.asks:
                self.graph.answer({each.id: self.cache.get(each.fingerprint) for each in decisions.asks}, self.now)
            starts = [*decisions.starts, *decisions.claims]
            for instance in starts:
                self.order.append(f"{instance.path}#{instance.attempts - 1}")
                outcome = self.end(instance)
                if outcome is not None:
                    self.graph.ended(instance.id, instance.attempts - 1, outcome, "file:///folder", self.now)
            if not (decisions.asks or starts):
                return self

    @property
    def states(self) -> dict[str, str]:
        """By path, of what the records would know."""
        known = {each.path: str(each.state) for each in self.graph.instances.values() if each.id in self.rows}
        return {path: state for path, state in sorted(known.items()) if path}

    def hit(self, instance: Instance) -> Hit:
        """What the cache would say later."""
        return Hit(instance.id, instance.outputs)

    def at(self, path: str) -> Instance:
        return next(each for each in self.graph.instances.values() if each.path == path)


def row(instance: Instance) -> Known:
    """What a record would keep of an instance."""
    return retrying.remembered(instance)


def good(instance: Instance) -> Outcome:
    """Every declared output is the text of the path; an `n` is doubled."""
    made = instance.component.output_parameters
    value = instance.inputs.parameters.get("n")
    return Outcome(True, dict.fromkeys(made, instance.path if value is None else value * 2))


def failing(*names: str) -> End:
    return lambda instance: Outcome(False, message="broken", code=1) if instance.name in names else good(instance)


def test_tasks_wait_for_what_they_need() -> None:
    spec = Spec().step("s", outputs={"Output": str}).step("t", {"x": str})
    world = World(spec.compiled({"b": task("t", {"x": Out("a")}), "c": task("s", after=("b",)), "a": task("s")}))
    assert world.settle().order == ["a#0", "b#0", "c#0"]
    assert world.graph.state is State.SUCCEEDED
    assert world.at("b").inputs.parameters == {"x": "a"}


def test_a_failure_skips_what_needs_it_and_nothing_else() -> None:
    tasks = {"a": task("s"), "b": task("s", after=("a",)), "c": task("s", after=("b",)), "d": task("s")}
    world = World(Spec().step("s").compiled(tasks), failing("a")).settle()
    assert world.states == {"a": "FAILED", "b": "SKIPPED", "c": "SKIPPED", "d": "SUCCEEDED"}
    assert world.graph.state is State.FAILED
    assert world.graph.root.failure == "step 'a' failed: broken"
    assert world.at("b").message == "not run, because 'a' failed"


@pytest.mark.parametrize(("coin", "taken"), [("heads", "yes"), ("tails", "no")])
def test_conditions_and_one_of(coin: str, taken: str) -> None:
    spec = Spec().step("flip", outputs={"Output": str}).step("use", {"x": str}).step("say", outputs={"Output": str})
    for name in ("yes", "no"):
        spec.dag(f"branch-{name}", {"say": task("say")}, {"coin": str}, {"Output": str}, Output=Out("say"))
    given = {"coin": In("coin")}
    spec.dag(
        "condition-branches-1",
        {
            "yes": task("branch-yes", given, condition="inputs.parameter_values['coin'] == 'heads'"),
            "no": task("branch-no", given, condition="!(inputs.parameter_values['coin'] == 'heads')"),
        },
        {"coin": str},
        {"Output": str},
        Output=[Out("yes"), Out("no")],
    )
    tasks = {
        "flip": task("flip"),
        "branches": task("condition-branches-1", {"coin": Out("flip")}),
        "use": task("use", {"x": Out("branches")}),
    }
    world = World(
        spec.compiled(tasks), lambda each: Outcome(True, {"Output": coin}) if each.name == "flip" else good(each)
    ).settle()
    other = {"yes": "no", "no": "yes"}[taken]
    assert world.states[f"branches/{taken}"] == "SUCCEEDED"
    assert world.states[f"branches/{other}"] == "SKIPPED"
    assert world.at("use").inputs.parameters == {"x": f"branches/{taken}/say"}
    assert world.graph.state is State.SUCCEEDED


def test_a_condition_without_a_value_fails_the_task_with_a_sentence() -> None:
    spec = Spec().step("s", {"x": str})
    tasks = {"a": task("s", {"x": "five"}, condition="int(inputs.parameter_values['x']) == 5")}
    world = World(spec.compiled(tasks)).settle()
    assert world.states == {"a": "FAILED"}
    assert "int(five) has no value" in world.at("a").message


def _loop(each: Any, **options: Any) -> dict[str, Any]:
    spec = Spec().step("double", {"n": int}, {"Output": int}).step("use", {"all": list})
    spec.dag(
        "body", {"double": task("double", {"n": In("item")})}, {"item": int}, {"Output": list}, Output=Out("double")
    )
    tasks = {"loop": task("body", each=each, **options), "use": task("use", {"all": Out("loop")})}
    return spec.compiled(tasks)


@pytest.mark.parametrize("items", [[], [3], [1, 2, 3]])
def test_loops_collect_in_order(items: list[int]) -> None:
    world = World(_loop(items)).settle()
    assert world.at("use").inputs.parameters == {"all": [item * 2 for item in items]}
    assert world.graph.state is State.SUCCEEDED
    assert world.at("loop").iterations == len(items)


def test_items_may_come_as_json_text_and_whole_numbers_stay_whole() -> None:
    spec = Spec().step("use", {"item": int})
    tasks = {"loop": task("body", {"items": In("items")}, each=In("items"))}
    spec.dag("body", {"use": task("use", {"item": In("item")})}, {"items": str, "item": int})
    world = World(spec.compiled(tasks, {"items": str}), parameters={"items": "[1.0, 2]"}).settle()
    assert repr(world.at("loop[0]/use").inputs.parameters) == "{'item': 1}"
    assert world.graph.state is State.SUCCEEDED


def test_an_item_of_the_wrong_type_fails_its_iteration_only() -> None:
    world = World(_loop([1, "two", 3])).settle()
    assert world.states["loop[1]"] == "FAILED"
    assert world.states["loop[2]"] == "SUCCEEDED"
    assert "expected an integer, got the string" in world.graph.root.failure


def test_loops_inside_loops_give_lists_of_parameters_in_lists_and_artifacts_flat() -> None:
    outputs = {"Output": int, "data": "Dataset"}
    spec = Spec().step("double", {"n": int}, outputs).step("use", {"all": list, "datasets": "[Dataset]"})
    gathered = {"Output": list, "data": "[Dataset]"}
    made = {"Output": Out("double"), "data": Out("double", "data")}
    spec.dag("inner", {"double": task("double", {"n": In("item")})}, {"item": int}, gathered, **made)
    passed = {"Output": Out("loop"), "data": Out("loop", "data")}
    spec.dag("outer", {"loop": task("inner", each=[1, 2])}, {"item": int}, gathered, **passed)
    tasks = {
        "loop": task("outer", each=[1, 2, 3]),
        "use": task("use", {"all": Out("loop")}, {"datasets": Out("loop", "data")}),
    }
    used = World(spec.compiled(tasks)).settle().at("use").inputs
    assert used.parameters == {"all": [[2, 4], [2, 4], [2, 4]]}
    assert len(used.artifacts["datasets"]) == 6


def test_a_parallel_limit_holds_and_the_loop_goes_on() -> None:
    running: list[Instance] = []
    world = World(_loop([1, 2, 3, 4], parallel=2), lambda each: running.append(each))
    world.settle()
    assert [each.path for each in running] == ["loop[0]/double", "loop[1]/double"]
    world.graph.ended(running[1].id, 0, good(running[1]), "file:///f", 1.0)
    world.settle()
    assert [each.path for each in running][2:] == ["loop[2]/double"]


def test_no_more_pods_at_a_time_than_the_window() -> None:
    running: list[Instance] = []
    world = World(_loop(list(range(10))), lambda each: running.append(each), window=3).settle()
    assert len(running) == 3
    for each in list(running):
        world.graph.ended(each.id, 0, good(each), "file:///f", 1.0)
    world.settle()
    assert len(running) == 6


def _exit_handler() -> dict[str, Any]:
    spec = Spec().step("s").step("mail", {"status": "TASK_FINAL_STATUS"})
    spec.dag("exit-handler-1", {"work": task("s"), "more": task("s", after=("work",))})
    return spec.compiled(
        {
            "exit-handler-1": task("exit-handler-1"),
            "mail": task("mail", {"status": final_status("exit-handler-1")}, after=("exit-handler-1",), tolerant=True),
        }
    )


@pytest.mark.parametrize(("end", "word"), [(good, "COMPLETE"), (failing("work"), "FAILED")])
def test_exit_tasks_always_run_and_know_how_it_ended(end: End, word: str) -> None:
    world = World(_exit_handler(), end).settle()
    assert world.states["mail"] == "SUCCEEDED"
    status = world.at("mail").inputs.parameters["status"]
    assert (status["state"], status["pipelineTaskName"]) == (word, "exit-handler-1")
    assert world.graph.state is (State.SUCCEEDED if end is good else State.FAILED)
    if end is not good:
        assert status["error"]["message"] == "step 'work' failed: broken"


def test_ignoring_an_upstream_failure_takes_the_default() -> None:
    spec = Spec().step("make", outputs={"Output": str}).step("use", {"x": (str, "default")})
    tasks = {"make": task("make"), "use": task("use", {"x": Out("make")}, tolerant=True)}
    world = World(spec.compiled(tasks), failing("make")).settle()
    assert world.states == {"make": "FAILED", "use": "SUCCEEDED"}
    assert world.at("use").inputs.parameters == {}  # left out: the function's own default applies
    assert world.graph.state is State.FAILED


def test_retries_back_off_and_stop_at_the_first_success() -> None:
    retry = {"maxRetryCount": 3, "backoffDuration": "10s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}
    failures = iter([True, True, False])
    world = World(
        Spec().step("s").compiled({"a": task("s", retry=retry)}),
        lambda each: Outcome(False, message="broken") if next(failures) else good(each),
    ).settle()
    assert world.order == ["a#0", "a#1", "a#2"]
    assert world.now == 30.0  # after 10 and then 20 seconds
    assert world.graph.state is State.SUCCEEDED


def test_retries_end_with_their_count_and_with_their_window() -> None:
    def attempts(**retry: Any) -> int:
        spec = Spec().step("s").compiled({"a": task("s", retry=retry)})
        world = World(spec, failing("a")).settle()
        assert world.graph.state is State.FAILED
        return len(world.order)

    assert attempts(maxRetryCount=2, backoffDuration="1s") == 3
    assert attempts(maxRetryCount=9, backoffDuration="10s", backoffMaxDuration="35s") == 3


def test_termination_starts_nothing_more_and_ends_canceled() -> None:
    running: list[Instance] = []
    world = World(_loop([1, 2, 3], parallel=1), lambda each: running.append(each)).settle()
    world.graph.cancel(5.0)
    decisions = world.graph.decide()
    assert [each.path for each in decisions.stops] == ["loop[0]/double"]
    assert not world.graph.state.ended
    world.graph.ended(running[0].id, 0, Outcome(False, message="gone"), "file:///f", 6.0)
    world.settle()
    assert world.graph.state is State.CANCELED
    assert len(running) == 1


def test_null_missing_and_default_are_three_things() -> None:
    spec = Spec().step("use", {"a": (str, "A"), "b": (str, None), "c": (int, 3)})
    spec.dag(
        "inner",
        {"use": task("use", {"a": In("a"), "b": In("b")})},
        {"a": (str, "scope"), "b": (str, None), "c": (int, 3)},
    )
    tasks = {"none": task("inner"), "given": task("inner", {"a": "x", "b": "y"})}
    world = World(spec.compiled(tasks)).settle()
    assert world.at("none").inputs.parameters == {"a": "scope", "b": None, "c": 3}
    assert world.at("none/use").inputs.parameters == {"a": "scope"}
    assert world.at("given/use").inputs.parameters == {"a": "x", "b": "y"}


@pytest.mark.parametrize(("value", "type_", "got"), [(3, str, "3"), (True, str, "true"), ([1, 2], str, "[1,2]")])
def test_anything_fits_a_string(value: Any, type_: type, got: str) -> None:
    world = World(Spec().step("use", {"x": type_}).compiled({"use": task("use", {"x": value})})).settle()
    assert world.at("use").inputs.parameters == {"x": got}


@pytest.mark.parametrize(("value", "type_"), [("3", int), ("x", list), (3, bool), ({}, list), (None, int)])
def test_nothing_else_is_converted(value: Any, type_: type) -> None:
    world = World(Spec().step("use", {"x": type_}).compiled({"use": task("use", {"x": value})})).settle()
    assert world.states == {"use": "FAILED"}
    assert "input 'x'" in world.at("use").message


def test_placeholders_in_constants_are_filled() -> None:
    spec = Spec().step("use", {"x": str, "y": str})
    text = "{{$.inputs.parameters['pipelinechannel--who']}} in {{$.pipeline_job_uuid}}"
    parameters = {"x": text, "y": "{{$.pipeline_task_name}}", "pipelinechannel--who": In("who")}
    world = World(spec.compiled({"use": task("use", parameters)}, {"who": str}), parameters={"who": "me"}).settle()
    assert world.at("use").inputs.parameters == {"x": f"me in {RUN}", "y": "use"}


def test_a_cached_step_hands_on_the_same_artifacts() -> None:
    spec = Spec().step("make", outputs={"model": "Model"}).step("use", {"model": "Model"})
    document = spec.compiled(
        {"make": task("make", cached=True), "use": task("use", {}, {"model": Out("make", "model")})}
    )
    first = World(document).settle()
    made = first.at("make")
    second = World(document, cache={made.fingerprint: Hit(made.id, made.outputs)}).settle()
    assert second.order == ["use#0"]
    assert second.states == {"make": "CACHED", "use": "SUCCEEDED"}
    assert second.at("use").inputs.artifacts == first.at("use").inputs.artifacts


def test_the_fingerprint_changes_with_inputs_and_command_and_not_with_the_environment() -> None:
    def fingerprint(n: int = 1, **container: Any) -> str:
        spec = Spec().step("s", {"n": int}, **container)
        return World(spec.compiled({"s": task("s", {"n": n}, cached=True)})).settle().at("s").fingerprint

    assert fingerprint() == fingerprint(env=[{"name": "A", "value": "b"}])
    assert len({fingerprint(), fingerprint(n=2), fingerprint(command=["false"]), fingerprint(image="x")}) == 4


def _everything() -> dict[str, Any]:
    """Loops, a condition, a failure with a retry, an exit handler: for the tests of being interrupted."""
    spec = Spec().step("items", outputs={"Output": list}).step("double", {"n": int}, {"Output": int}).step("s")
    spec.step("use", {"all": list})
    body = {
        "double": task("double", {"n": In("item")}, retry={"maxRetryCount": 1}),
        "big": task("s", {"n": Out("double")}, condition="int(inputs.parameter_values['n']) > 3"),
        "after-big": task("s", after=("big",)),
    }
    spec.dag("body", body, {"item": int, "items": list}, {"Output": list}, Output=Out("double"))
    inner = {
        "items": task("items"),
        "loop": task("body", {"items": Out("items")}, each=In("items"), parallel=2),
        "use": task("use", {"all": Out("loop")}),
    }
    spec.dag("exit-handler-1", inner)
    return spec.compiled(
        {"exit-handler-1": task("exit-handler-1"), "bye": task("s", after=("exit-handler-1",), tolerant=True)}
    )


def _ending(instance: Instance) -> Outcome:
    if instance.name == "items":
        return Outcome(True, {"Output": [1, 2, 3, 4, 5]})
    if instance.name == "double" and instance.attempts == 1 and instance.inputs.parameters["n"] % 2:
        return Outcome(False, message="once broken")
    return good(instance)


def interrupted(spec: Mapping[str, Any], end: Callable[[Instance], Outcome], seed: int) -> World:
    """Drop the graph at random moments and build it again from what the records would have, until the run is over."""
    chance = random.Random(seed)
    rows: dict[str, Known] = {}
    order: list[str] = []
    for _ in range(200):
        world = World(spec, known=rows)
        graph = world.graph
        graph.tick(1e9)
        left = chance.randint(1, 4)  # decisions until the next crash
        open_ = [each for each in graph.live if each.id in rows]
        while left and not graph.state.ended:
            left -= 1
            decisions = graph.decide()
            graph.answer({each.id: None for each in decisions.asks}, 0.0)
            rows |= {each.id: row(each) for each in decisions.changed.values()}
            order += [f"{each.path}#{each.attempts - 1}" for each in decisions.starts]
            open_ += decisions.starts
            chance.shuffle(open_)
            if open_:
                each = open_.pop()
                graph.ended(each.id, each.attempts - 1, end(each), "file:///f", 0.0)
            graph.tick(1e9)
        if graph.state.ended:
            break
    rows |= {each.id: row(each) for each in graph.decide().changed.values()}
    world.rows, world.order = rows, order
    return world


@pytest.mark.parametrize("seed", range(8))
def test_a_graph_built_again_from_the_records_goes_on_as_if_nothing_had_been(seed: int) -> None:
    """No attempt starts twice, and the records end the same."""
    whole = World(_everything(), _ending).settle()
    world = interrupted(_everything(), _ending, seed)
    assert sorted(world.order) == sorted(whole.order)
    assert world.states == whole.states
    assert world.graph.state is State.SUCCEEDED
    assert world.at("exit-handler-1/use").inputs.parameters == {"all": [2, 4, 6, 8, 10]}


def test_an_attempt_that_was_ended_from_outside_is_made_again_and_uses_up_no_retry() -> None:
    failures = iter([Outcome(False, disrupted=True), Outcome(False, message="own"), Outcome(False, disrupted=True)])
    spec = Spec().step("a").compiled({"a": task("a", retry={"maxRetryCount": 1})})
    world = World(spec, lambda step: next(failures, Outcome(True))).settle()
    assert world.order == ["a#0", "a#1", "a#2", "a#3"]
    assert world.states == {"a": "SUCCEEDED"}
    assert (world.at("a").attempts, world.at("a").disruptions) == (4, 2)


def test_a_value_may_come_from_the_pipelines_own_inputs_at_any_depth() -> None:
    spec = Spec().step("use", {"x": str}).dag("inner", {"use": task("use", {"x": "replaced"})})
    source = {"runtimeValue": {"runtimeParameter": "who"}}
    spec.components["inner"]["dag"]["tasks"]["use"]["inputs"]["parameters"]["x"] = source
    document = spec.compiled({"group": task("inner")}, {"who": str})
    world = World(document, parameters={"who": "me"}).settle()
    assert world.at("group/use").inputs.parameters == {"x": "me"}
    del document["root"]["inputDefinitions"]["parameters"]["who"]
    with pytest.raises(ir.InvalidPipeline, match="the pipeline's input 'who', which does not exist"):
        ir.load(document)


def test_a_loop_over_artifacts_gives_one_to_each_iteration() -> None:
    spec = Spec().step("make", {"n": int}, {"data": "Dataset"}).step("use", {"one": "Dataset", "all": "[Dataset]"})
    spec.dag(
        "making",
        {"make": task("make", {"n": In("item")})},
        {"item": int},
        {"data": "[Dataset]"},
        data=Out("make", "data"),
    )
    each = {"use": task("use", {}, {"one": In("one"), "all": In("all")})}
    spec.dag("using", each, {"one": "Dataset", "all": "[Dataset]"})
    loop = task("using", {}, {"all": Out("making", "data")})
    loop["artifactIterator"] = {"itemInput": "one", "items": {"inputArtifact": "all"}}
    world = World(spec.compiled({"making": task("making", each=[1, 2, 3]), "loop": loop})).settle()
    assert world.graph.state is State.SUCCEEDED
    ids = [world.at(f"making[{number}]/make").outputs.artifacts["data"][0].id for number in range(3)]
    used = [world.at(f"loop[{number}]/use").inputs.artifacts for number in range(3)]
    assert [inputs["one"][0].id for inputs in used] == ids
    assert [item.id for item in used[0]["all"]] == ids
