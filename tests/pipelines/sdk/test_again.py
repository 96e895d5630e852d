"""Runs made from runs, and runs that people hold back, on a whole platform: the API, the engine and real steps."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from kfp import dsl

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@dsl.component(base_image="python:3.11", packages_to_install=["packaging"])
def tell(x: int, word: str = "hello") -> str:
    return f"{word} {x}"


@dsl.pipeline(name="chain")
def chain(n: int = 4) -> str:
    made = flows.measure(n=n)
    total = flows.add_up(rows=made.outputs["rows"])
    with dsl.ParallelFor([1, 2]) as x:
        flows.double(x=x).after(total)
    told = tell(x=total.output).set_env_variable("COLOUR", "blue")
    return told.output


def states(run: sdk.Run) -> dict[str, str]:
    return {step.path: step.state for step in run.snapshot().steps if step.kind == "RUNTIME"}


def test_a_rerun_runs_what_it_is_told_with_what_it_is_told(server: sdk.Server) -> None:
    first = sdk.submit(chain)
    assert first.wait(timeout=60).state == "SUCCEEDED"
    assert first.outputs() == {"Output": "hello 14"}
    second = first.rerun("tell", inputs={"tell": {"word": "goodbye"}})
    assert second.wait(timeout=60).state == "SUCCEEDED"
    assert second.outputs() == {"Output": "goodbye 14"}
    assert states(second) == {
        "measure": "CACHED",
        "add-up": "CACHED",
        "for-loop-2[0]/double": "CACHED",
        "for-loop-2[1]/double": "CACHED",
        "tell": "SUCCEEDED",
    }
    assert second.artifact("measure/rows").text() == first.artifact("measure/rows").text()
    assert "measuring" in second.log("measure")
    third = second.rerun(parameters={"n": 2})
    assert third.wait(timeout=60).state == "SUCCEEDED"
    assert third.outputs() == {"Output": "goodbye 1"}
    fourth = first.rerun("for-loop-2[1]/double", inputs={"for-loop-2[1]/double": {"x": 21}})
    assert fourth.wait(timeout=60).state == "SUCCEEDED"
    assert fourth.outputs("for-loop-2[1]/double") == {"Output": 42}
    assert states(fourth)["for-loop-2[0]/double"] == "CACHED"


def test_a_clone_runs_everything_with_other_parameters(server: sdk.Server) -> None:
    first = sdk.submit(flows.squares, {"n": 2})
    first.wait(timeout=30)
    second = first.clone({"factor": 10})
    assert second.wait(timeout=30).state == "SUCCEEDED"
    assert second.outputs() == {"Output": 10}
    assert second.record()["source_run_id"] == first.id


def test_a_replay_tells_all_that_a_step_was_given(server: sdk.Server) -> None:
    run = sdk.submit(chain, caching=False)
    run.wait(timeout=60)
    given = server.get(f"runs/{run.id}/tasks/{run.step('tell').id}:replay")
    assert given["python"] is True
    assert "def tell(" in given["source"]
    assert given["executor_input"]["inputs"]["parameterValues"] == {"x": 14}
    assert given["requirements"] == ["packaging"]
    assert given["defaults"] == {"word": "hello"}
    assert given["env"] == {"COLOUR": "blue"}
    assert sdk.replay(run, "tell", inputs={"word": "again"}).outputs == {"Output": "again 14"}
    again = run.rerun("tell")
    again.wait(timeout=60)
    taken = server.get(f"runs/{again.id}/tasks/{again.step('add-up').id}:replay")
    assert taken["executor_input"]["inputs"]["artifacts"]["rows"]["artifacts"][0]["uri"].endswith("outputs/rows")
    loop = next(task for task in server.pages(f"runs/{run.id}/tasks", "tasks") if task["type"] == "LOOP")
    with pytest.raises(sdk.Failure, match="runs nothing that could be run elsewhere"):
        server.get(f"runs/{run.id}/tasks/{loop['task_id']}:replay")


def until(look: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)
    return found


@dsl.pipeline(name="guarded")
def guarded() -> None:
    first = flows.double(x=1)
    gate = flows.double(x=first.output).set_env_variable("FAIRWAY_STEP_APPROVAL", "Double it again?")
    flows.double(x=gate.output).set_env_variable("FAIRWAY_STEP_POOL", "desks").set_caching_options(False)


def test_people_hold_a_run_back_and_let_it_go_on(server: sdk.Server) -> None:
    run = sdk.submit(guarded)
    (asked,) = until(lambda: server.get(f"runs/{run.id}/approvals").get("approvals"))
    assert (asked["message"], asked["state"], asked["scope_path"]) == ("Double it again?", "WAITING", "double-2")
    assert "waits for approval" in run.step("double-2").message
    run.pause()
    assert run.state == "PAUSED"
    decided = server.post(f"runs/{run.id}/tasks/{asked['task_id']}:approve", {"comment": "go"})
    assert (decided["state"], decided["decided_by"]) == ("APPROVED", "tester")
    until(lambda: run.step("double-2").message == "approved by tester")
    time.sleep(0.3)
    assert (run.step("double-2").state, run.step("double-2").attempts) == ("PENDING", 0)
    run.resume()
    until(lambda: any("make it with PUT" in step.message for step in run.snapshot().steps))
    server.put("pools/desks", {"slots": 1})
    assert run.wait(timeout=30).state == "SUCCEEDED"
    assert server.get("pools/desks")["used"] == 0
