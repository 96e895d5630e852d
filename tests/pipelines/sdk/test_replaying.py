"""A step of a run again, in this process: the same inputs, a debugger where it fails, nothing written to the run."""

import io
import json
import os
from pathlib import Path

import pytest
from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@dsl.component(base_image="python:3.11")
def share(rows: Input[Dataset], parts: int, cut: Output[Dataset], name: str = "cut") -> float:
    with open(rows.path) as file:
        lines = file.read().splitlines()
    with open(cut.path, "w") as file:
        file.write(name)
    return len(lines) / parts


@dsl.container_component
def shout(text: str, said: dsl.OutputPath(str)):  # type: ignore[valid-type]
    return dsl.ContainerSpec(image="busybox", command=["sh", "-c", 'echo "$0$WORD" > "$1"'], args=[text, said])


@dsl.pipeline(name="divided")
def divided(parts: int = 0, rows: int = 2) -> None:
    share(rows=flows.measure(n=rows).outputs["rows"], parts=parts)


@dsl.pipeline(name="loud")
def loud() -> None:
    shout(text="hey").set_env_variable("WORD", "!")


@pytest.fixture
def failed(server: sdk.Server) -> sdk.Run:
    run = sdk.submit(divided)
    with pytest.raises(sdk.Failure, match="ZeroDivisionError"):
        run.wait(timeout=60)
    return run


def files_of(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def test_a_step_fails_here_as_it_did_there_and_goes_well_with_another_input(failed: sdk.Run, tmp_path: Path) -> None:
    kept = Path(failed.artifact("measure/rows").path()).parents[3]
    before = failed.snapshot(), files_of(kept), dict(os.environ), os.getcwd()
    with pytest.raises(ZeroDivisionError):
        sdk.replay(failed, "share")
    again = sdk.replay(failed, "share", inputs={"parts": 2}, folder=tmp_path / "here")
    assert again.outputs == {"Output": 1.5}
    assert again.artifacts["cut"].read_text() == "cut"
    assert again.artifacts["cut"].is_relative_to(tmp_path / "here")
    assert (failed.snapshot(), files_of(kept), dict(os.environ), os.getcwd()) == before
    with pytest.raises(sdk.Failure, match="the step has no parameter party; it has name, parts"):
        sdk.replay(failed, "share", inputs={"party": 2})


def test_corrected_code_runs_with_the_same_inputs(failed: sdk.Run, tmp_path: Path) -> None:
    def share(rows: Input[Dataset], parts: int, cut: Output[Dataset]) -> float:
        return float(parts)

    assert sdk.replay(failed, "share", function=share).outputs == {"Output": 0}
    file = tmp_path / "corrected.py"
    file.write_text(
        "from kfp import dsl\nfrom kfp.dsl import *\n"
        "@dsl.component(base_image='python:3.11')\n"
        "def share(rows: Input[Dataset], parts: int, cut: Output[Dataset]) -> float:\n    return 7.0\n"
    )
    assert sdk.replay(failed.id, "share", file=file).outputs == {"Output": 7}


def test_a_failure_opens_the_debugger_where_it_happened(
    failed: sdk.Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("p len(lines), parts\nq\n"))
    with pytest.raises(ZeroDivisionError):
        sdk.replay(failed, "share", debug=True)
    said = capsys.readouterr()
    assert "(3, 0)" in said.out
    assert "return len(lines) / parts" in said.out + said.err


def test_the_debugger_waits_at_the_first_line_where_asked(
    failed: sdk.Run, fairway: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("parts = 4\nc\n"))
    said = fairway("runs", "debug", failed.id, "share", "--stop", "--json")
    assert said.code == 0, said.err
    assert "with open(rows.path) as file:" in said.out
    assert json.loads(said.out[said.out.index("{") :])["outputs"] == {"Output": 0.75}
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    left = fairway("runs", "debug", failed.id, "share", "--stop")
    assert (left.code, "left in the debugger" in left.err) == (1, True)


def test_the_command_says_how_the_step_failed(
    failed: sdk.Run, fairway: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = fairway("runs", "debug", failed.id, "share")
    assert said.code == 1
    assert said.err.endswith("fairway: the step failed here as well: ZeroDivisionError: division by zero\n")
    good = fairway("runs", "debug", failed.id, "share", "--input", "parts=3", "--json")
    assert json.loads(good.out)["outputs"] == {"Output": 1}


def test_a_command_is_run_as_it_was(server: sdk.Server) -> None:
    run = sdk.submit(loud)
    run.wait(timeout=60)
    assert run.outputs("shout")["said"].strip() == "hey!"
    assert sdk.replay(run, "shout").outputs["said"].strip() == "hey!"
    with pytest.raises(sdk.Failure, match="the step is a command and has no function"):
        sdk.replay(run, "shout", file=__file__)
