"""A run again: a clone with other parameters, or from a step on with other inputs."""

import json

import pytest
from kfp import dsl

from fairway.pipelines import sdk
from fairway.pipelines.sdk import steps
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@pytest.fixture
def squares(server: sdk.Server) -> sdk.Run:
    run = sdk.submit(flows.squares, {"n": 3, "factor": 2}, name="squares")
    run.wait(timeout=60)
    assert run.outputs() == {"Output": 10}
    return run


def states(run: sdk.Run) -> dict[str, str]:
    return {step.path: step.state for step in run.wait(timeout=60).steps if step.path}


def test_a_clone_has_the_given_parameters_and_the_other_ones_of_the_old_run(squares: sdk.Run, fairway: Command) -> None:
    clone = squares.clone({"n": 4}, name="more")
    clone.wait(timeout=60)
    assert (clone.outputs(), clone.record()["display_name"]) == ({"Output": 28}, "more")
    assert clone.record()["source_run_id"] == squares.id
    said = fairway("runs", "clone", squares.id, "--param", "factor=1", "--json")
    other = sdk.run(json.loads(said.out)["run_id"])
    other.wait(timeout=60)
    assert other.outputs() == {"Output": 5}
    assert "no parameter m" in fairway("runs", "clone", squares.id, "--param", "m=1").err


def test_a_run_goes_on_from_a_step_with_other_inputs(squares: sdk.Run, fairway: Command) -> None:
    again = squares.rerun("add-up", inputs={"add-up": {"factor": 10}})
    assert states(again) == {"measure": "CACHED", "add-up": "SUCCEEDED"}
    assert again.outputs() == {"Output": 50}
    assert again.log("measure").count("measuring") == 1
    said = fairway("runs", "rerun", squares.id, "--from", "add-up", "--input", "add-up.factor=3", "--follow")
    assert (said.code, said.out.splitlines()[-1]) == (0, "SUCCEEDED")
    by_parameter = squares.rerun(parameters={"factor": 7})
    assert states(by_parameter) == {"measure": "CACHED", "add-up": "SUCCEEDED"}
    assert by_parameter.outputs() == {"Output": 35}
    assert "say what is to run again" in fairway("runs", "rerun", squares.id).err
    assert "STEP.NAME=VALUE" in fairway("runs", "rerun", squares.id, "--input", "factor=3").err
    with pytest.raises(sdk.NotThere, match="no step 'count'"):
        squares.rerun("count")


def test_what_was_cached_is_forgotten(squares: sdk.Run, fairway: Command) -> None:
    assert set(states(sdk.submit(flows.squares, {"n": 3, "factor": 2})).values()) == {"CACHED"}
    assert json.loads(fairway("cache", "clear", "squares", "--json").out)["deleted"] >= 2
    assert set(states(sdk.submit(flows.squares, {"n": 3, "factor": 2})).values()) == {"SUCCEEDED"}
    assert "forgot the results of 0 steps of pipeline nothing" in fairway("cache", "clear", "nothing").out
    assert sdk.clear_cache() >= 2


@dsl.pipeline(name="both")
def both() -> None:
    with dsl.ParallelFor([1, 2]) as x:
        flows.double(x=flows.double(x=x).output)


def test_a_step_in_a_loop_goes_on_in_one_iteration_or_in_all(server: sdk.Server) -> None:
    run = sdk.submit(both, caching=False)
    loop = next(path for path in states(run) if path.startswith("for-loop") and "[" not in path)
    one = states(run.rerun(f"{loop}[1]/double-2"))
    assert (one[f"{loop}[0]/double-2"], one[f"{loop}[1]/double-2"]) == ("CACHED", "SUCCEEDED")
    for name in ("double-2", f"{loop}/double-2"):
        every = states(run.rerun(name))
        assert (every[f"{loop}[0]/double-2"], every[f"{loop}[1]/double-2"]) == ("SUCCEEDED", "SUCCEEDED")
        assert every[f"{loop}[0]/double"] == "CACHED"


def test_a_place_is_one_step_or_all_its_iterations() -> None:
    known = [
        steps.read({"task_id": str(number), "state": "SUCCEEDED", "name": path.rpartition("/")[2], "scope_path": path})
        for number, path in enumerate(("a", "loop", "loop[0]", "loop[0]/b", "loop[1]", "loop[1]/b", "c", "loop[0]/c"))
    ]
    for asked, place in {"a": "a", "b": "loop/b", "loop[1]/b": "loop[1]/b", "loop/b": "loop/b", "c": "c"}.items():
        assert steps.place(known, asked) == place
    with pytest.raises(sdk.NotThere):
        steps.place(known, "d")
