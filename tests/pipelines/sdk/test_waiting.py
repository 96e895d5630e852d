"""Steps that wait: for a person, for a place in a pool, for something to come; and runs that are paused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from kfp import dsl

from fairway.pipelines import sdk
from fairway.pipelines.sdk import Snapshot, sensors, steps
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@dsl.pipeline(name="asking")
def asking(x: int = 2) -> int:
    task = sdk.approval(flows.double(x=x), "Double the {x}?")
    return task.output


@dsl.pipeline(name="sharing")
def sharing(until: str) -> None:
    sdk.pool(flows.talk(until=until), "desk")
    sdk.pool(flows.talk(until=until), "desk")


@dsl.pipeline(name="expecting")
def expecting(path: str) -> None:
    flows.double(x=1).after(sensors.file(path, every=0.2, timeout=60))


@dsl.pipeline(name="in-vain")
def in_vain(path: str) -> None:
    sensors.file(path, every=0.1, timeout=0.5)


@dsl.pipeline(name="two-steps")
def two_steps(until: str) -> None:
    flows.double(x=1).after(flows.talk(until=until))


def once(run: sdk.Run, there: Callable[[Snapshot], bool]) -> Snapshot:
    """The first moment at which something is so."""
    return next(now for now in run.follow(every=0.05) if there(now))


def waits(now: Snapshot, step: str, text: str) -> bool:
    return any(each.path == step and each.state == "PENDING" and text in each.message for each in now.steps)


def test_a_step_starts_once_a_person_has_approved(server: sdk.Server, fairway: Command) -> None:
    run = sdk.submit(asking, {"x": 21}, caching=False)
    once(run, lambda now: waits(now, "double", "waits for approval: Double the 21?"))
    said = fairway("approvals").out
    assert "Double the 21?" in said
    assert "waiting" in said
    [question] = sdk.approvals()
    assert (question.step, question.question, question.state) == ("double", "Double the 21?", "WAITING")
    assert fairway("approvals", "approve", run.id, "--comment", "why not").code == 0
    assert run.wait(timeout=60)
    assert run.outputs() == {"Output": 42}
    [answered] = run.approvals(state="")
    assert (answered.decided_by, answered.comment) == ("fairway:admin", "why not")
    assert json.loads(fairway("approvals", "list", "--all", "--json").out)[0]["state"] == "APPROVED"
    assert "no step waits" in fairway("approvals", "list").out
    with pytest.raises(sdk.NotThere, match="no step '' waits for an answer"):
        run.approve()


def test_a_rejection_fails_the_step(server: sdk.Server) -> None:
    run = sdk.submit(asking, caching=False)
    once(run, lambda now: waits(now, "double", "waits for approval"))
    run.reject("double", "not today")
    with pytest.raises(sdk.Failure, match="rejected by fairway:admin: not today"):
        run.wait(timeout=60)


def test_steps_wait_for_slots_of_a_pool(server: sdk.Server, fairway: Command, tmp_path: Path) -> None:
    assert "no pools" in fairway("pools").out
    go = tmp_path / "go"
    run = sdk.submit(sharing, {"until": str(go)}, caching=False)
    once(run, lambda now: any("which does not exist" in step.message for step in now.steps))
    assert "desk  missing: steps wait for it  2" in fairway("pools").out
    assert "pool desk has 1 slots" in fairway("pools", "set", "desk", "1").out
    once(run, lambda now: {step.state for step in steps.doing(now.steps)} == {"PENDING", "RUNNING"})
    [desk] = sdk.pools()
    assert (desk.slots, desk.used, desk.waiting) == (1, 1, 1)
    sdk.set_pool("desk", 2)
    once(run, lambda now: [step.state for step in steps.doing(now.steps)] == ["RUNNING", "RUNNING"])
    go.touch()
    run.wait(timeout=60)
    assert [pool.used for pool in sdk.pools()] == [0]
    assert fairway("pools", "delete", "desk").code == 0
    with pytest.raises(sdk.NotThere, match='no pool "desk"'):
        sdk.delete_pool("desk")


def test_a_sensor_looks_again_until_it_is_time(server: sdk.Server, tmp_path: Path) -> None:
    path = tmp_path / "there"
    run = sdk.submit(expecting, {"path": str(path)})
    once(run, lambda now: any(step.message for step in now.steps if step.path == "wait-for-file"))
    path.touch()
    run.wait(timeout=60)


def test_a_sensor_gives_up(server: sdk.Server, tmp_path: Path) -> None:
    with pytest.raises(sdk.Failure, match="wait-for-file"):
        sdk.submit(in_vain, {"path": str(tmp_path / "never")}).wait(timeout=60)


def test_a_paused_run_starts_nothing_until_it_goes_on(server: sdk.Server, fairway: Command, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run = sdk.submit(two_steps, {"until": str(go)}, caching=False)
    once(run, lambda now: any(step.path == "talk" and step.state == "RUNNING" for step in now.steps))
    assert fairway("runs", "pause", run.id).code == 0
    go.touch()
    paused = once(run, lambda now: any(step.path == "talk" and step.state == "SUCCEEDED" for step in now.steps))
    assert paused.state == run.state == "PAUSED"
    assert "‖" in fairway("runs", "show", run.id).out
    assert fairway("runs", "resume", run.id).code == 0
    assert run.wait(timeout=60).state == "SUCCEEDED"
