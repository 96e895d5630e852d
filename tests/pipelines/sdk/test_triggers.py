"""Pipelines that run because something happened."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


def fired(trigger: sdk.Trigger) -> sdk.Run:
    """The run that it started first, once the engine has taken it up."""
    deadline = time.monotonic() + 60
    while not (started := [one for one in trigger.events() if one["state"] == "STARTED"]):
        assert time.monotonic() < deadline, trigger.events()
        time.sleep(0.05)
    run = sdk.run(started[0]["run_id"])
    while not run.inputs():
        assert time.monotonic() < deadline, run.record()
        time.sleep(0.05)
    return run


def test_the_end_of_a_run_starts_another(server: sdk.Server) -> None:
    trigger = sdk.trigger_on_run(flows.mended, {"flag": "[[trigger.run_id]]"}, of="squares", name="after-squares")
    before = sdk.submit(flows.squares, {"n": 1})
    after = fired(trigger)
    assert after.inputs()["flag"] == before.id
    assert after.record()["trigger_id"] == trigger.id
    trigger.disable()
    assert trigger.record()["status"] == "DISABLED"
    trigger.delete()
    with pytest.raises(sdk.NotThere):
        trigger.record()


def test_an_artifact_that_a_run_makes_starts_another(server: sdk.Server) -> None:
    trigger = sdk.trigger_on_artifact(flows.mended, {"flag": "[[trigger.artifact_uri]]"}, artifact="rows", of="squares")
    sdk.submit(flows.squares, {"n": 1}, caching=False)
    assert fired(trigger).inputs()["flag"].endswith("/rows")
    trigger.delete()


def test_a_webhook_is_called_with_its_own_token(server: sdk.Server) -> None:
    hook = sdk.webhook(flows.squares, {"factor": 2}, takes=["n"], name="called")
    assert hook.token not in repr(hook)
    hook.fire({"n": 3}, key="once")
    hook.fire({"n": 3}, key="once")
    run = fired(hook)
    run.wait(timeout=60)
    assert run.outputs() == {"Output": 10}
    assert len(hook.events()) == 1
    with pytest.raises(sdk.Failure, match="factor"):
        hook.fire({"factor": 3})
    old, new = hook, hook.rotate()
    assert new.token != old.token
    with pytest.raises(sdk.Failure):
        old.fire({"n": 1})
    new.delete()


def test_the_command_makes_and_shows_triggers(fairway: Command, tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(Path(flows.__file__).read_text())
    sdk.upload(flows.squares, "by-command")
    made = fairway("triggers", "create", "by-command", "--webhook", "--name", "hook", "--json")
    told = json.loads(made.out)
    assert told["url"].endswith(f"/triggers/{told['trigger_id']}:fire")
    sdk.Trigger(sdk.connect(), told["trigger_id"], told["token"]).fire({"n": 1})
    fired(sdk.find_trigger("hook"))
    assert "calls of its webhook" in fairway("triggers").out
    assert "started" in fairway("triggers", "show", "hook").out
    assert json.loads(fairway("triggers", "show", "hook", "--json").out)["status"] == "ENABLED"
    assert "shown once" in fairway("triggers", "rotate", "hook").out
    assert fairway("triggers", "delete", "hook").code == 0
    assert "goes with --on-run-of" in fairway("triggers", "create", "by-command", "--webhook", "--state", "failed").err
    assert 'no trigger "hook"' in fairway("triggers", "show", "hook").err
