"""Pipelines that are kept by name and version, and run by their name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


def test_a_pipeline_is_kept_in_versions_and_run_by_its_name(server: sdk.Server) -> None:
    first = sdk.upload(flows.squares)
    again = sdk.upload(flows.squares, version="better")
    assert (first.id, first.name) == (again.id, "squares")
    assert [one["name"] for one in first.versions()] == ["better", "squares"]
    sdk.upload(flows.squares)
    server.delete(f"pipelines/{first.id}/versions/{first.versions()[1]['pipeline_version_id']}")
    sdk.upload(flows.squares)
    assert [one["name"] for one in first.versions()] == ["squares-4", "squares-3", "squares"]
    run = sdk.submit("squares", {"n": 3}, name="by-name", experiment="named")
    assert run.wait(timeout=60).name == "by-name"
    assert run.outputs() == {"Output": 5}
    assert [one.id for one in sdk.runs(experiment="named")] == [run.id]
    first.delete()
    with pytest.raises(sdk.NotThere, match='squares is no file here; and there is no pipeline "squares"'):
        sdk.submit("squares")


def test_the_command_keeps_shows_runs_and_deletes(fairway: Command, tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(Path(flows.__file__).read_text())
    said = fairway("pipelines", "upload", str(file), "--pipeline", "squares", "--name", "kept")
    assert said.out == "uploaded; run it with `fairway pipelines run kept`\n"
    assert "kept" in fairway("pipelines").out
    assert [one["name"] for one in json.loads(fairway("pipelines", "show", "kept", "--json").out)["versions"]] == [
        "kept"
    ]
    done = fairway("pipelines", "run", "kept", "--param", "n=2", "--follow")
    assert (done.code, done.out.splitlines()[-1]) == (0, "SUCCEEDED")
    assert fairway("pipelines", "delete", "kept").code == 0
    assert "there is no pipeline" in fairway("pipelines", "show", "kept").err
