"""What holds steps back, as pure tables: a pause, a person, slots of a pool, a sensor that sees nothing, a deadline."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from specs import In, Out, Spec, task
from test_deciding import World, failing, good

from fairway.pipelines.render.model import Instance, Outcome, State, Verdict

YES, NO = Verdict(True, "ada"), Verdict(False, "ada", "not on a Friday")


def options(**given: str) -> list[dict[str, str]]:
    return [{"name": f"FAIRWAY_STEP_{name}", "value": value} for name, value in given.items()]


def held(tasks: dict[str, Any] | None = None, *, inputs: Any = None, outputs: Any = None, **given: str) -> Any:
    """One step with options, and one after it."""
    spec = Spec().step("s").step("held", inputs, outputs, env=options(**given))
    return spec.compiled(tasks or {"a": task("held"), "b": task("s", after=("a",))})


def leaving(*names: str) -> Callable[[Instance], Outcome | None]:
    """These steps are left running."""
    return lambda instance: None if instance.name in names else good(instance)


def again(world: World, spec: Any, **given: Any) -> World:
    """The same run, in the next life of the engine."""
    return World(spec, given.pop("end", world.end), known=world.rows, **given)


# Pause


def test_while_a_run_is_paused_nothing_starts_and_what_runs_goes_on() -> None:
    spec = Spec().step("s").compiled({"a": task("s"), "b": task("s", after=("a",)), "c": task("s", after=("b",))})
    world = World(spec, leaving("a")).settle()
    world.graph.pause(True, 1.0)
    world.graph.ended(world.at("a").id, 0, Outcome(True), "file:///f", 2.0)
    world.settle()
    assert (world.order, world.states, world.graph.state) == (["a#0"], {"a": "SUCCEEDED"}, State.RUNNING)
    world.graph.pause(False, 3.0)
    assert world.settle().order == ["a#0", "b#0", "c#0"]
    assert world.graph.state is State.SUCCEEDED


def test_a_pause_is_still_one_in_the_next_life_and_retries_wait_for_its_end() -> None:
    spec = Spec().step("s").compiled({"a": task("s", retry={"maxRetryCount": 1, "backoffDuration": "10s"})})
    first = World(spec, failing("a")).settle_once()
    first.graph.pause(True, 1.0)
    second = World(spec, known=first.rows)
    second.graph.pause(True, 1.0)
    second.settle()
    assert (second.order, second.states) == ([], {"a": "PENDING"})
    second.graph.tick(100.0)
    second.settle()
    assert second.order == []
    second.graph.pause(False, 101.0)
    assert second.settle().order == ["a#1"]


def test_the_cache_is_not_asked_while_a_run_is_paused_and_its_answer_may_still_come() -> None:
    spec = Spec().step("s").compiled({"a": task("s", cached=True), "b": task("s", cached=True, after=("a",))})
    world = World(spec)
    asked = world.graph.decide().asks
    world.graph.pause(True, 1.0)
    world.graph.answer({each.id: None for each in asked}, 1.0)
    assert not world.settle().order
    world.graph.pause(False, 2.0)
    assert world.settle().order == ["a#0", "b#0"]


def test_a_paused_run_can_be_terminated() -> None:
    spec = Spec().step("s").compiled({"a": task("s"), "b": task("s", after=("a",))})
    world = World(spec, leaving("a")).settle()
    world.graph.pause(True, 1.0)
    world.graph.cancel(2.0)
    assert world.settle().stops == ["a"]
    world.graph.ended(world.at("a").id, 0, Outcome(False), "file:///f", 3.0)
    assert world.settle().graph.state is State.CANCELED


# Approvals


def test_a_step_waits_for_a_person_and_starts_once_one_approved() -> None:
    spec = held(inputs={"x": int}, APPROVAL="Deploy {{$.inputs.parameters['x']}}?", tasks={"a": task("held", {"x": 3})})
    world = World(spec).settle()
    assert (world.questions, world.order, world.states) == (["a"], [], {"a": "PENDING"})
    assert world.at("a").message == "waits for approval: Deploy 3?"
    world.graph.decided({world.at("a").id: YES}, 9.0)
    assert world.settle().order == ["a#0"]


def test_a_rejection_fails_the_step_and_says_who_and_why_and_no_retry_asks_again() -> None:
    retry = {"maxRetryCount": 3}
    spec = held({"a": task("held", retry=retry), "b": task("s", after=("a",))}, APPROVAL="Deploy?")
    world = World(spec).settle()
    world.graph.decided({world.at("a").id: NO}, 9.0)
    world.settle()
    assert world.states == {"a": "FAILED", "b": "SKIPPED"}
    assert world.graph.root.failure == "step 'a' failed: rejected by ada: not on a Friday"
    assert world.questions == ["a"]


def test_the_next_life_of_the_engine_knows_what_was_decided_and_asks_nobody_twice() -> None:
    spec = held(APPROVAL="Deploy?")
    first = World(spec).settle()
    waiting = again(first, spec).settle()
    assert (waiting.order, waiting.states, waiting.graph.decide().changed) == ([], {"a": "PENDING"}, {})
    (known,) = (known for known in first.rows.values() if known.message.startswith("waits"))
    for verdict, order in ((YES, ["a#0", "b#0"]), (NO, [])):
        rows = {id_: _with(found, verdict) if found is known else found for id_, found in first.rows.items()}
        assert World(spec, known=rows).settle().order == order


def _with(known: Any, verdict: Verdict) -> Any:
    return type(known)(**{**{name: getattr(known, name) for name in known.__slots__}, "verdict": verdict})


def test_a_person_is_asked_before_the_cache_and_in_every_iteration() -> None:
    spec = Spec().step("held", env=options(APPROVAL="Go on?"))
    spec.dag("body", {"gate": task("held", cached=True)}, {"item": int})
    document = spec.compiled({"loop": task("body", each=[1, 2])})
    world = World(document).settle()
    assert world.questions == ["loop[0]/gate", "loop[1]/gate"]
    assert not world.at("loop[0]/gate").fingerprint
    world.graph.decided({world.at("loop[1]/gate").id: YES}, 1.0)
    assert world.settle().order == ["loop[1]/gate#0"]


def test_a_step_that_was_approved_is_tried_again_without_asking() -> None:
    failures = iter([Outcome(False, message="once")])
    spec = held({"a": task("held", retry={"maxRetryCount": 1})}, APPROVAL="Deploy?")
    world = World(spec, lambda _: next(failures, Outcome(True))).settle()
    world.graph.decided({world.at("a").id: YES}, 9.0)
    assert world.settle().order == ["a#0", "a#1"]
    assert world.questions == ["a"]


def test_a_question_with_a_mistake_fails_the_step() -> None:
    world = World(held(APPROVAL="Deploy {{$.inputs.parameters['nope']}}?")).settle()
    assert (world.states["a"], world.questions) == ("FAILED", [])
    assert "no input parameter 'nope'" in world.at("a").message


def test_termination_ends_a_wait_for_a_person() -> None:
    world = World(held(APPROVAL="Deploy?")).settle()
    world.graph.cancel(1.0)
    assert world.settle().states == {"a": "CANCELED"}
    world.graph.decided({world.at("a").id: YES}, 2.0)
    assert world.settle().order == []


def test_an_answer_that_comes_while_the_next_engine_pauses_counts_when_the_run_goes_on() -> None:
    spec = held(APPROVAL="Deploy?")
    for verdict, order in ((YES, ["a#0", "b#0"]), (NO, [])):
        first = World(spec).settle()
        later = World(spec, known=first.rows, paused=True).settle()
        later.graph.decided({later.at("a").id: verdict}, 1.0)
        assert later.settle().order == []
        later.graph.pause(False, 2.0)
        assert later.settle().order == order
        assert later.graph.state is (State.SUCCEEDED if order else State.FAILED)


def test_a_rejection_stands_when_what_surrounds_the_step_is_tried_again() -> None:
    spec = Spec().step("held", env=options(APPROVAL="Deploy?")).dag("inner", {"a": task("held")})
    world = World(spec.compiled({"x": task("inner", retry={"maxRetryCount": 2})})).settle()
    world.graph.decided({world.at("x/a").id: NO}, 1.0)
    assert world.settle().questions == ["x/a"]
    assert world.states == {"x": "FAILED", "x/a": "FAILED"}


# Pools


def test_a_step_starts_once_it_has_its_slots_and_gives_them_back_at_its_end() -> None:
    world = World(held(POOL="gpu:2"), leaving("a")).settle()
    assert (world.wants, world.order) == (["a"], [])
    world.graph.held({world.at("a").id: "waits for 2 slots"}, 1.0)
    world.settle()
    assert (world.states, world.at("a").message) == ({"a": "PENDING"}, "waits for 2 slots")
    world.graph.granted([world.at("a").id], 2.0)
    world.settle()
    assert (world.order, world.at("a").slots, world.rows[world.at("a").id].slots) == (["a#0"], 2, 2)
    world.graph.ended(world.at("a").id, 0, Outcome(True), "file:///f", 3.0)
    world.settle()
    assert (world.returns, world.at("a").slots, world.rows[world.at("a").id].slots) == (["a"], 0, 0)
    assert world.order == ["a#0", "b#0"]


def test_a_step_waits_anew_before_it_is_tried_again_but_not_where_it_was_disrupted() -> None:
    spec = held({"a": task("held", retry={"maxRetryCount": 1, "backoffDuration": "10s"})}, POOL="gpu")
    world = World(spec, lambda _: None).settle()
    world.graph.granted([world.at("a").id], 0.0)
    world.settle()
    world.graph.ended(world.at("a").id, 0, Outcome(False, disrupted=True), "file:///f", 1.0)
    world.settle()
    assert (world.order, world.wants, world.returns) == (["a#0", "a#1"], ["a"], [])
    world.graph.ended(world.at("a").id, 1, Outcome(False, message="own"), "file:///f", 2.0)
    world.settle_once()
    assert (world.returns, world.wants) == (["a"], ["a"])
    world.graph.tick(12.0)
    assert world.settle().wants == ["a", "a"]


def test_a_try_that_waits_for_slots_is_no_try_that_runs_in_the_next_life() -> None:
    spec = held({"a": task("held", retry={"maxRetryCount": 1})}, POOL="gpu")
    world = World(spec, failing("a")).settle()
    world.graph.granted([world.at("a").id], 0.0)
    world.settle()
    world.graph.held({world.at("a").id: "waits"}, 1.0)
    world.settle()
    later = again(world, spec).settle()
    assert (later.wants, later.graph.live, later.order) == (["a"], [], [])
    later.graph.granted([later.at("a").id], 2.0)
    assert later.settle().order == ["a#1"]


def test_a_pause_gives_what_has_not_started_back_and_asks_again_at_its_end() -> None:
    spec = Spec().step("held", env=options(POOL="gpu")).step("s")
    world = World(spec.compiled({"a": task("s"), "b": task("held")}), leaving("a"), window=1).settle()
    assert world.wants == []  # one that does not get a pod anyway takes no slots from others
    world.graph.ended(world.at("a").id, 0, Outcome(True), "file:///f", 1.0)
    world.settle()
    assert world.wants == ["b"]
    world.graph.pause(True, 2.0)
    world.graph.granted([world.at("b").id], 2.0)
    world.settle()
    assert (world.returns, world.order) == (["b"], ["a#0"])
    world.graph.pause(False, 3.0)
    assert world.settle().wants == ["b", "b"]


def test_termination_leaves_the_queue_of_a_pool() -> None:
    world = World(held(POOL="gpu")).settle()
    world.graph.cancel(1.0)
    assert world.settle().returns == ["a"]
    assert world.graph.state is State.CANCELED


# Sensors


def sensor(setting: str, **more: Any) -> Any:
    spec = Spec().step("look", outputs={"ready": bool}, env=options(SENSOR=setting, **more)).step("s", {"x": bool})
    return spec.compiled({"look": task("look", cached=True), "use": task("s", {"x": Out("look", "ready")})})


def seeing(*answers: bool) -> Callable[[Instance], Outcome]:
    left = list(answers)
    return lambda each: Outcome(True, {"ready": left.pop(0)} if each.name == "look" else {})


def test_a_sensor_looks_again_until_it_sees() -> None:
    world = World(sensor("every=30"), seeing(False, False, True)).settle_once()
    look = world.at("look")
    assert (str(look.state), look.looks, look.retry_at, world.graph.live) == ("PENDING", 1, 30.0, [])
    assert look.message == "not yet, looks again at 1970-01-01T00:00:30Z"
    world.settle()
    assert world.order == ["look#0", "look#1", "look#2", "use#0"]
    assert (look.looks, look.attempts, world.now) == (2, 3, 60.0)
    assert not look.fingerprint
    assert world.at("use").inputs.parameters == {"x": True}


def test_a_sensor_counts_its_looks_over_the_lives_of_the_engine() -> None:
    spec = sensor("every=30")
    first = World(spec, seeing(False)).settle_once()
    second = again(first, spec, end=seeing(False, True)).settle()
    assert second.order == ["look#1", "look#2", "use#0"]
    assert second.at("look").looks == 2


def test_however_often_a_sensor_looks_its_record_stays_small_and_its_time_counts_from_the_first_look() -> None:
    world = World(sensor("every=30 timeout=30000"), lambda _: None)
    for number in range(1_000):
        at = number * 30.0
        world.graph.tick(at)
        world.settle_once()
        running(world, at)
        world.graph.ended(world.at("look").id, number, Outcome(True, {"ready": False}), "file:///f", at)
    world.settle_once()
    history = world.at("look").history
    assert len(history) <= 200
    assert history[:2] == [(State.PENDING, 0.0), (State.RUNNING, 0.0)]
    assert history[-1][1] == 999 * 30.0
    assert all(before[0] is not after[0] for before, after in itertools.pairwise(history))
    world.graph.tick(30_000.0)
    world.settle_once()
    assert world.at("look").state is State.FAILED
    assert "(1000 looks said not yet)" in world.at("look").message


def running(world: World, at: float) -> None:
    for each in world.graph.live:
        world.graph.running(each.id, at)


def test_a_sensor_gives_up_at_its_timeout_between_two_looks() -> None:
    world = World(sensor("every=30 timeout=40"), lambda _: None).settle()
    running(world, 5.0)
    world.graph.ended(world.at("look").id, 0, Outcome(True, {"ready": False}), "file:///f", 6.0)
    world.settle_once()
    world.graph.tick(36.0)
    world.settle_once()
    running(world, 36.0)
    world.graph.ended(world.at("look").id, 1, Outcome(True, {"ready": False}), "file:///f", 37.0)
    world.settle_once()
    assert world.graph.next_tick == 45.0
    world.graph.tick(45.0)
    assert world.settle().states == {"look": "FAILED", "use": "SKIPPED"}
    assert world.at("look").message == "the sensor saw nothing in 40 s (2 looks said not yet)"


def test_a_look_that_hangs_is_ended_at_the_timeout() -> None:
    spec = sensor("every=30 timeout=40")
    world = World(spec, lambda _: None).settle()
    running(world, 5.0)
    world.settle_once()
    world = again(world, spec, end=lambda _: None).settle_once()
    assert world.graph.next_tick == 45.0
    world.graph.tick(45.0)
    world.settle_once()
    assert world.stops == ["look"]
    world.graph.ended(world.at("look").id, 0, Outcome(False, message="killed"), "file:///f", 46.0)
    assert "saw nothing in 40 s" in world.settle().at("look").message


def test_a_pause_leaves_a_sensor_one_more_look() -> None:
    world = World(sensor("every=30 timeout=40"), lambda _: None).settle()
    running(world, 0.5)
    world.graph.ended(world.at("look").id, 0, Outcome(True, {"ready": False}), "file:///f", 1.0)
    world.graph.pause(True, 2.0)
    world.settle_once()
    world.graph.tick(100.0)
    assert world.settle_once().at("look").state is State.PENDING
    world.end = seeing(True)
    world.graph.pause(False, 101.0)
    assert world.settle().graph.state is State.SUCCEEDED


def test_looks_use_up_no_retry_and_a_sensor_that_breaks_does() -> None:
    answers = iter([{"ready": False}, None, {"ready": False}, None, None])

    def end(each: Instance) -> Outcome:
        found = next(answers)
        return Outcome(True, found) if found else Outcome(False, message="broken")

    spec = Spec().step("look", outputs={"ready": bool}, env=options(SENSOR="every=10"))
    world = World(spec.compiled({"look": task("look", retry={"maxRetryCount": 2})}), end).settle()
    assert (world.at("look").attempts, world.at("look").looks) == (5, 2)
    assert world.states == {"look": "FAILED"}


def test_a_sensor_holds_no_slots_between_its_looks() -> None:
    world = World(sensor("every=30", POOL="eyes"), seeing(False, True)).settle()
    world.graph.granted([world.at("look").id], 0.0)
    world.settle_once()
    assert (world.wants, world.returns) == (["look"], ["look"])
    world.graph.tick(30.0)
    assert world.settle_once().wants == ["look", "look"]


def test_sensors_work_in_loops() -> None:
    spec = Spec().step("look", {"n": int}, {"Output": bool}, env=options(SENSOR="every=10"))
    spec.dag("body", {"look": task("look", {"n": In("item")})}, {"item": int})
    looks = {1: iter([True]), 2: iter([False, True])}
    end = lambda each: Outcome(True, {"Output": next(looks[each.inputs.parameters["n"]])})  # noqa: E731
    world = World(spec.compiled({"loop": task("body", each=[1, 2])}), end).settle()
    assert world.order == ["loop[0]/look#0", "loop[1]/look#0", "loop[1]/look#1"]
    assert world.graph.state is State.SUCCEEDED


# The deadline of a run


def test_a_run_ends_at_its_deadline_and_fails() -> None:
    spec = Spec().step("s").dag("inner", {"a": task("s"), "b": task("s", after=("a",))}).compiled({"x": task("inner")})
    platform = {"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": 60}}}}
    world = World(spec, leaving("a"), platform=platform).settle_once()
    assert world.graph.next_tick == 60.0
    later = again(world, spec, platform=platform).settle_once()
    later.graph.tick(60.0)
    assert later.settle_once().stops == ["x/a"]
    assert not later.graph.canceling
    later.graph.ended(later.at("x/a").id, 0, Outcome(False), "file:///f", 61.0)
    later.settle_once()
    assert later.states == {"x": "CANCELED", "x/a": "CANCELED"}
    assert later.graph.state is State.FAILED
    assert later.graph.root.failure == "the run did not end within its deadline of 60 s"


@pytest.mark.parametrize("gated", ["APPROVAL", "POOL"])
def test_the_time_before_a_step_could_start_takes_no_retry_from_it(gated: str) -> None:
    retry = {"maxRetryCount": 1, "backoffDuration": "1s", "backoffMaxDuration": "60s"}
    world = World(held({"a": task("held", retry=retry)}, **{gated: "question"}), lambda _: None).settle()
    step = world.at("a")
    world.graph.held({step.id: "waits"}, 0.0)
    world.graph.decided({step.id: YES}, 5000.0)
    world.graph.granted([step.id], 5000.0)
    world.settle_once()
    running(world, 5000.0)
    world.graph.ended(step.id, 0, Outcome(False, message="broken"), "file:///f", 5001.0)
    assert step.state is State.PENDING
