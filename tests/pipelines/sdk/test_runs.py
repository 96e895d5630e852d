"""What a scientist asks of a run and does to it, on a whole platform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


def test_a_run_tells_its_outputs_metrics_and_inputs(server: sdk.Server) -> None:
    run = sdk.submit(flows.squares, {"n": 3}, name="mine", caching=False)
    assert run.wait(timeout=60).name == "mine"
    assert run.outputs() == {"Output": 5}
    assert run.inputs() == {"n": 3, "factor": 1}
    assert run.outputs("measure")["Output"] == 3
    assert run.metrics() == {"measure": {"share": 0.5}}
    assert run.log("measure").count("measuring") == 1
    assert run.record()["display_name"] == "mine"


def test_an_artifact_is_bytes_a_path_a_copy_and_a_table(server: sdk.Server, tmp_path: Path) -> None:
    run = sdk.submit(flows.squares, {"n": 2})
    run.wait(timeout=60)
    rows = run.artifact("measure/rows")
    assert rows.read() == b"x,y\n0,0\n1,1\n"
    assert rows.path().read_bytes() == rows.read()
    assert rows.save(tmp_path / "copy.csv").read_text() == rows.text()
    assert list(rows.frame()["y"]) == [0, 1]
    # Whoever registers an artifact gives it any name, and a copy is under no other folder for that.
    elsewhere = replace(rows, uri="s3://elsewhere/rows", name=str(tmp_path / "outside"))
    assert elsewhere.path().read_bytes() == rows.read()
    assert not (tmp_path / "outside").exists()
    assert replace(elsewhere, name="a/..").path().name == "artifact"
    with pytest.raises(sdk.Failure, match="is there already"):
        rows.save(tmp_path / "copy.csv")
    with pytest.raises(sdk.NotThere, match="no artifact 'columns'; it has measure/quality, measure/rows"):
        run.artifact("columns")


def test_a_run_is_given_what_another_made_or_a_file(server: sdk.Server, tmp_path: Path) -> None:
    before = sdk.submit(flows.squares, {"n": 3})
    before.wait(timeout=60)
    run = sdk.submit(flows.added, {"rows": before.artifact("measure/rows"), "factor": 3})
    run.wait(timeout=60)
    assert run.outputs() == {"Output": 15}
    (tmp_path / "rows.csv").write_text("x,y\n1,7\n")
    run = sdk.submit(flows.added, {"rows": tmp_path / "rows.csv"})
    run.wait(timeout=60)
    assert run.outputs() == {"Output": 7}


def test_a_step_is_named_by_its_path_or_a_name_that_only_one_has(server: sdk.Server) -> None:
    run = sdk.submit(flows.doubled)
    run.wait(timeout=60)
    assert run.outputs("for-loop-2[1]/double") == {"Output": 4}
    with pytest.raises(sdk.NotThere, match=r"several steps 'double'; say which: .*for-loop-2\[2\]/double"):
        run.step("double")
    with pytest.raises(sdk.NotThere, match="no step 'treble'"):
        run.log("treble")


def test_a_run_is_found_by_id_beginning_name_and_age(server: sdk.Server) -> None:
    old = sdk.submit(flows.doubled, name="the-old-one", experiment="finding")
    new = sdk.submit(flows.doubled, name="the-new-one", experiment="finding")
    assert sdk.run(old.id).id == sdk.run(old.id[:13]).id == sdk.run("the-old-one").id == old.id
    assert sdk.run("last").id == new.id
    assert [run.id for run in sdk.runs(experiment="finding")] == [new.id, old.id]
    assert [run.id for run in sdk.runs(experiment="finding", name="old")] == [old.id]
    assert sdk.runs(experiment="finding", limit=1) == [new]
    old.wait(timeout=60), new.wait(timeout=60)
    assert {run.id for run in sdk.runs(experiment="finding", state="succeeded")} == {old.id, new.id}
    assert not sdk.runs(experiment="finding", state="FAILED")
    with pytest.raises(sdk.NotThere, match='no run "nobody"'):
        sdk.run("nobody")
    with pytest.raises(sdk.NotThere, match="no experiment 'nothing'"):
        sdk.runs(experiment="nothing")
    with pytest.raises(sdk.Failure, match=r"submit\(\) starts one"):
        sdk.run(flows.doubled)  # type: ignore[arg-type]


def test_a_log_is_followed_line_by_line_until_its_step_ends(server: sdk.Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run = sdk.submit(flows.talking, {"until": str(go)})
    step = next(step for now in run.follow() for step in now.steps if step.name == "talk")
    seen = []
    for line in run.lines(step):
        if line == "first":
            go.touch()
        seen.append(line)
    assert [line for line in seen if line in ("first", "last")] == ["first", "last"]
    run.wait(timeout=60)


def test_a_failed_run_says_so_and_is_tried_again(server: sdk.Server, tmp_path: Path) -> None:
    run = sdk.submit(flows.mended, {"flag": str(tmp_path / "flag")})
    with pytest.raises(sdk.Failure, match=r"is FAILED: .*the first time it fails"):
        run.wait(timeout=60)
    run.retry()
    assert run.wait(timeout=60).state == "SUCCEEDED"
    with pytest.raises(sdk.Failure, match="only a failed or canceled run can be retried"):
        run.retry()


def test_a_run_is_ended_and_deleted(server: sdk.Server, tmp_path: Path) -> None:
    run = sdk.submit(flows.talking, {"until": str(tmp_path / "never")})
    with pytest.raises(sdk.Failure, match=r"is still .* after 0 s"):
        run.wait(timeout=0)
    run.terminate()
    assert [now.state for now in run.follow()][-1] == "CANCELED"
    run.delete()
    with pytest.raises(sdk.NotThere):
        run.record()
