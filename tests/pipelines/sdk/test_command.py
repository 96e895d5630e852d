"""`fairway runs` and `fairway run`: what people read, what scripts read, and how mistakes are told."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fairway.cli.verbs import VERBS
from fairway.pipelines import sdk
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")

NOUNS = ("runs", "approvals", "pools", "pipelines", "triggers", "notices", "cache", "schedules")
HEAVY = ("aiohttp", "sqlalchemy", "yaml", "kfp", "pandas", "obstore", "cryptography", "uvloop", "asyncio")


@pytest.fixture
def ended(server: sdk.Server) -> sdk.Run:
    run = sdk.submit(flows.squares, {"n": 3}, name="squares")
    run.wait(timeout=60)
    return run


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_starts_light(noun: str) -> None:
    """A quick question does not pay for the server's world."""
    assert noun in VERBS
    program = f"import sys, fairway.cli.{noun}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {name.split(".")[0] for name in loaded} & set(HEAVY)
    assert not heavy
    assert not [name for name in loaded if name.startswith(("fairway.cluster", "fairway.records", "fairway.front"))]


@pytest.mark.slow
def test_runs_are_listed_for_people_and_for_scripts(ended: sdk.Run, fairway: Command) -> None:
    for words in (("runs",), ("runs", "list", "--name", "squares"), ("runs", "list", "--state", "succeeded")):
        said = fairway(*words)
        assert (said.code, ended.id[:8] in said.out, "✓ succeeded" in said.out) == (0, True, True)
    for words in (("runs", "--json"), ("runs", "list", "--json"), ("runs", "--json", "list")):
        assert json.loads(fairway(*words).out)[0]["run_id"] == ended.id
    assert "no runs" in fairway("runs", "list", "--state", "failed", "--name", "squares").out


@pytest.mark.slow
def test_a_run_is_shown_with_what_it_took_and_gave(ended: sdk.Run, fairway: Command) -> None:
    said = fairway("runs", "show", ended.id[:8]).out
    assert "add-up" in said
    assert "share" in said
    shown = json.loads(fairway("runs", "show", "last", "--json").out)
    assert (shown["state"], shown["inputs"]["n"], shown["outputs"]) == ("SUCCEEDED", 3, {"Output": 5})
    assert {step["path"] for step in shown["steps"]} == {"", "measure", "add-up"}
    assert json.loads(fairway("runs", "outputs", "last", "measure", "--json").out)["Output"] == 3


@pytest.mark.slow
def test_artifacts_are_listed_printed_and_saved(ended: sdk.Run, fairway: Command, tmp_path: Path) -> None:
    assert "measure  rows" in fairway("runs", "artifacts", "last").out
    [row] = json.loads(fairway("runs", "artifacts", "last", "rows", "--json").out)
    assert (row["type"], row["step"]) == ("Dataset", "measure")
    assert fairway("runs", "artifacts", "last", "rows", "--save", str(tmp_path / "rows.csv")).code == 0
    assert (tmp_path / "rows.csv").read_text().startswith("x,y")
    refused = fairway("runs", "artifacts", "last", "--save", str(tmp_path / "all"))
    assert (refused.code, "say which artifact" in refused.err) == (1, True)


@pytest.mark.slow
def test_logs_come_from_one_step_or_from_all(ended: sdk.Run, fairway: Command) -> None:
    assert "measuring" in fairway("runs", "logs", "last", "measure").out.splitlines()
    assert "measure: measuring" in fairway("runs", "logs", "last").out.splitlines()
    lines = map(json.loads, fairway("runs", "logs", "last", "--json").out.splitlines())
    assert {"step": "measure", "line": "measuring"} in list(lines)


@pytest.mark.slow
def test_all_logs_are_followed_while_they_come(server: sdk.Server, fairway: Command, tmp_path: Path) -> None:
    run = sdk.submit(flows.talking, {"until": str(tmp_path / "go")})
    threading.Timer(1.0, (tmp_path / "go").touch).start()
    said = [
        line for line in fairway("runs", "logs", run.id, "-f").out.splitlines() if line in ("talk: first", "talk: last")
    ]
    assert said == ["talk: first", "talk: last"]


@pytest.mark.slow
def test_a_failed_run_is_retried_and_followed(server: sdk.Server, fairway: Command, tmp_path: Path) -> None:
    run = sdk.submit(flows.mended, {"flag": str(tmp_path / "flag")})
    failed = fairway("runs", "follow", run.id)
    assert (failed.code, "the first time it fails" in failed.out) == (1, True)
    again = fairway("runs", "retry", run.id, "--follow")
    assert (again.code, again.out.splitlines()[-1]) == (0, "SUCCEEDED")
    refused = fairway("runs", "retry", run.id)
    assert (refused.code, "only a failed or canceled run" in refused.err) == (1, True)


@pytest.mark.slow
def test_a_file_is_run(fairway: Command, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.py"
    file.write_text(Path(flows.__file__).read_text())
    said = fairway("run", str(file), "--pipeline", "squares", "--param", "n=5", "--json")
    assert said.code == 0
    assert json.loads(said.out.splitlines()[-1])["state"] == "SUCCEEDED"
    started = fairway("run", str(file), "--pipeline", "squares", "--no-follow").out.strip()
    assert sdk.run(started).wait(timeout=60).state == "SUCCEEDED"
    assert "NAME=VALUE, not 'n'" in fairway("run", str(file), "--pipeline", "squares", "--param", "n").err


def test_mistakes_are_told_in_a_sentence(fairway: Command) -> None:
    said = fairway("runs", "show", "nobody")
    assert (said.code, said.out) == (1, "")
    assert said.err == 'fairway: there is no run "nobody"; `fairway runs list` shows which there are\n'


@pytest.mark.slow
def test_a_step_that_stands_still_is_told_to_go_on(server: sdk.Server, fairway: Command) -> None:
    run = sdk.submit(flows.looked_at)
    deadline = time.monotonic() + 60
    while "stopped before" not in (message := " ".join(step.message for step in run.snapshot().steps)):
        assert time.monotonic() < deadline, message
        time.sleep(0.1)
    said = fairway("runs", "continue", run.id, "measure")
    assert (said.code, "goes on" in said.out) == (0, True)
    assert run.wait(timeout=60).state == "SUCCEEDED"
    assert "does not stand still" in fairway("runs", "continue", run.id, "measure").err


@pytest.mark.slow
def test_a_run_is_deleted_with_what_only_it_used(server: sdk.Server, fairway: Command) -> None:
    run = sdk.submit(flows.squares, {"n": 3}, caching=False)
    run.wait(timeout=60)
    path = run.artifact("measure/rows").path()
    said = fairway("runs", "delete", run.id, "--with-artifacts")
    assert (said.code, "with what only it used" in said.out) == (0, True)
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
