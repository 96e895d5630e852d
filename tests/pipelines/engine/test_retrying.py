"""Retries of more than a step: a pipeline inside a pipeline, or a loop, is tried again with what had not succeeded."""

from __future__ import annotations

from typing import Any

import pytest
from specs import In, Out, Spec, final_status, task
from test_deciding import World, failing, good, interrupted

from fairway.pipelines.render.model import Instance, Outcome, State


def _broken(*attempts: str, message: str = "broken") -> Any:
    """Those attempts fail, named by path and number, and all others succeed."""

    def end(instance: Instance) -> Outcome:
        attempt = f"{instance.path}#{instance.attempts - 1}"
        return Outcome(False, message=message) if attempt in attempts else good(instance)

    return end


def _group(inner: dict[str, Any], retry: dict[str, Any], spec: Spec | None = None) -> dict[str, Any]:
    spec = spec or Spec().step("s")
    spec.dag("inner", inner)
    return spec.compiled({"group": task("inner", retry=retry), "end": task("s", after=("group",))})


def test_a_pipeline_inside_a_pipeline_keeps_what_succeeded_and_does_the_rest_again() -> None:
    inner = {"a": task("s"), "b": task("s", after=("a",)), "c": task("s", after=("b",))}
    world = World(_group(inner, {"maxRetryCount": 1}), _broken("group/b#0")).settle()
    assert world.order == ["group/a#0", "group/b#0", "group/b#1", "group/c#0", "end#0"]
    assert world.graph.state is State.SUCCEEDED
    assert set(world.states.values()) == {"SUCCEEDED"}
    states = [str(state) for state, _ in world.at("group").history]
    assert states == ["RUNNING", "PENDING", "RUNNING", "SUCCEEDED"]


def test_its_retries_back_off_and_end_with_their_count_and_their_window() -> None:
    def played(**retry: Any) -> tuple[int, float]:
        world = World(_group({"b": task("s")}, retry), failing("b")).settle()
        assert world.states == {"group": "FAILED", "group/b": "FAILED", "end": "SKIPPED"}
        assert world.graph.root.failure == "step 'b' failed: broken"
        return len(world.order), world.now

    assert played(maxRetryCount=2, backoffDuration="10s", backoffFactor=2.0) == (3, 30.0)
    assert played(maxRetryCount=9, backoffDuration="10s", backoffFactor=2.0, backoffMaxDuration="35s") == (3, 30.0)


def test_a_back_off_is_a_number_after_however_many_tries() -> None:
    """Powers soon have none, and a step that fails at once may fail thousands of times."""
    retry = {"maxRetryCount": 3000, "backoffDuration": "0s", "backoffFactor": 2.0}
    document = Spec().step("s").compiled({"s": task("s", retry=retry)})
    assert len(World(document, failing("s")).settle().order) == 3001
    steep = {"maxRetryCount": 200, "backoffDuration": "10s", "backoffFactor": 1e300}
    world = World(Spec().step("s").compiled({"s": task("s", retry=steep)}), failing("s")).settle()
    assert (len(world.order), world.now < 1e12) == (201, True)


def test_steps_inside_have_their_own_retries_afresh_each_time() -> None:
    inner = {"a": task("s"), "b": task("s", retry={"maxRetryCount": 2})}
    world = World(_group(inner, {"maxRetryCount": 1}), failing("b")).settle()
    assert [each for each in world.order if "b#" in each] == [f"group/b#{number}" for number in range(6)]
    assert world.graph.state is State.FAILED
    least = World(_group(inner, {"maxRetryCount": 1}), _broken(*(f"group/b#{n}" for n in range(5)))).settle()
    assert least.graph.state is State.SUCCEEDED


def test_retries_at_every_level_multiply() -> None:
    spec = Spec().step("s").dag("innermost", {"b": task("s", retry={"maxRetryCount": 1})})
    document = _group({"deep": task("innermost", retry={"maxRetryCount": 1})}, {"maxRetryCount": 2}, spec)
    assert len(World(document, failing("b")).settle().order) == 2 * 2 * 3


def test_of_a_loop_only_the_iterations_that_failed_are_done_again() -> None:
    spec = Spec().step("double", {"n": int}, {"Output": int}).step("use", {"all": list})
    spec.dag(
        "body", {"double": task("double", {"n": In("item")})}, {"item": int}, {"Output": list}, Output=Out("double")
    )
    loop = task("body", each=[1, 2, 3, 4], parallel=2, retry={"maxRetryCount": 1})
    document = spec.compiled({"loop": loop, "use": task("use", {"all": Out("loop")})})
    world = World(document, _broken("loop[1]/double#0", "loop[3]/double#0")).settle()
    assert [each for each in world.order if each.endswith("#1")] == ["loop[1]/double#1", "loop[3]/double#1"]
    assert world.at("use").inputs.parameters == {"all": [2, 4, 6, 8]}


def test_an_exit_task_inside_runs_again_and_is_told_how_it_ended_then() -> None:
    spec = Spec().step("s").step("mail", {"status": "TASK_FINAL_STATUS"}, {"report": "Artifact"})
    spec.dag("body", {"work": task("s")})
    inner = {
        "body": task("body"),
        "mail": task("mail", {"status": final_status("body")}, after=("body",), tolerant=True),
        "free": task("s"),
    }
    told: list[str] = []

    def end(instance: Instance) -> Outcome:
        if instance.name == "mail":
            told.append(instance.inputs.parameters["status"]["state"])
        return _broken("group/body/work#0")(instance)

    world = World(_group(inner, {"maxRetryCount": 1}, spec), end).settle()
    assert told == ["FAILED", "COMPLETE"]
    assert [each for each in world.order if "free" in each] == ["group/free#0"]
    assert world.graph.state is State.SUCCEEDED


def test_artifacts_of_a_second_try_are_others() -> None:
    spec = Spec().step("s").step("mail", outputs={"report": "Artifact"})
    inner = {"work": task("s"), "mail": task("mail", after=("work",), tolerant=True)}
    made: list[str] = []
    world = World(_group(inner, {"maxRetryCount": 1}, spec), _broken("group/work#0"))
    for _ in range(2):
        made += [item.id for item in world.settle_once().at("group/mail").outputs.artifacts["report"]]
        world.graph.tick(world.now)
    assert world.graph.state is State.SUCCEEDED
    assert len(set(made)) == 2


def test_termination_ends_a_group_that_waits_for_its_next_try() -> None:
    world = World(_group({"b": task("s")}, {"maxRetryCount": 3, "backoffDuration": "60s"}), failing("b"))
    world.settle_once()
    assert (world.states["group"], world.at("group").retry_at) == ("PENDING", 60.0)
    assert world.at("group").message == "attempt 1 failed: step 'b' failed: broken"
    world.graph.cancel(5.0)
    world.settle()
    assert world.graph.state is State.CANCELED
    assert world.states == {"group": "CANCELED", "group/b": "FAILED"}


def _levels() -> dict[str, Any]:
    spec = Spec().step("s").step("double", {"n": int}, {"Output": int}).step("use", {"all": list})
    body = {"double": task("double", {"n": In("item")}, retry={"maxRetryCount": 1}), "more": task("s")}
    spec.dag("body", body, {"item": int}, {"Output": list}, Output=Out("double"))
    loop = task("body", each=[1, 2, 3], parallel=2, retry={"maxRetryCount": 1})
    inner = {
        "first": task("s"),
        "loop": loop,
        "use": task("use", {"all": Out("loop")}),
        "bye": task("s", after=("use",), tolerant=True),
    }
    return _group(inner, {"maxRetryCount": 2}, spec)


@pytest.mark.parametrize("seed", range(12))
def test_a_graph_built_again_in_between_does_the_same(seed: int) -> None:
    attempts = ("group/loop[0]/double#0", "group/first#0", "group/first#1", "group/loop[2]/double#0")
    end = _broken(*attempts, *(f"group/loop[1]/double#{number}" for number in range(5)), "group/use#0")
    whole = World(_levels(), end).settle()
    assert whole.graph.state is State.SUCCEEDED
    world = interrupted(_levels(), end, seed)
    assert world.graph.state is State.SUCCEEDED
    assert sorted(world.order) == sorted(whole.order)
    assert world.states == whole.states
    assert world.at("group/use").inputs.parameters == {"all": [2, 4, 6]}
