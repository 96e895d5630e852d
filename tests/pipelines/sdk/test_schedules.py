"""Pipelines that run by the clock: made, changed, looked at, made up for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
FIRST, LAST = MIDNIGHT - timedelta(days=3), MIDNIGHT - timedelta(days=1)


def test_a_schedule_is_made_changed_and_run_at_once(server: sdk.Server) -> None:
    made = sdk.schedule(
        flows.squares, {"n": 2}, cron="0 6 * * *", time_zone="Europe/Berlin", name="daily", late_after=60, catchup=False
    )
    record = made.record()
    trigger = record["trigger"]["cron_schedule"]
    assert (trigger["cron"], trigger["time_zone"]) == ("0 6 * * *", "Europe/Berlin")
    assert (record["status"], record["no_catchup"], record["late_after_seconds"]) == ("ENABLED", True, 60)
    assert len(record["next_slots"]) == 5
    run = made.run()
    run.wait(timeout=60)
    assert run.inputs()["n"] == 2
    made.edit(parameters={"n": 3}, every=3600, name="hourly")
    record = made.record()
    assert record["trigger"]["periodic_schedule"]["interval_second"] == "3600"
    assert record["runtime_config"]["parameters"] == {"n": 3}
    assert sdk.find_schedule("hourly").id == made.id
    made.disable()
    assert made.record()["status"] == "DISABLED"
    made.delete()
    with pytest.raises(sdk.NotThere, match='no schedule "hourly"'):
        sdk.find_schedule("hourly")


def test_a_past_window_is_made_up_for(server: sdk.Server) -> None:
    made = sdk.schedule(flows.squares, {"n": 1}, cron="0 0 * * *", name="nightly")
    slots = made.backfill(FIRST, LAST, max_concurrency=3)
    assert [slot.scheduled_at for slot in slots] == [
        f"{FIRST + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in range(3)
    ]
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while {slot.state for slot in made.calendar(FIRST, LAST)} != {"SUCCEEDED"}:
        assert datetime.now(UTC) < deadline, made.calendar(FIRST, LAST)
    assert [slot.run_id for slot in made.calendar(FIRST, LAST)] == [slot.run_id for slot in slots]
    assert made.backfill(FIRST, LAST) == []
    made.delete()


def test_the_calendar_of_a_schedule_with_many_slots_is_short(fairway: Command) -> None:
    sdk.upload(flows.squares, name="often")
    made = ("schedules", "create", "often", "--every", "1", "--param", "n=1", "--name", "often", "--disabled")
    assert fairway(*made).code == 0
    shown = fairway("schedules", "calendar", "often")
    assert (shown.code, len(shown.out.splitlines()) < 200) == (0, True), shown.err
    assert fairway("schedules", "delete", "often").code == 0


def test_mistakes_are_told_before_anything_is_made(server: sdk.Server) -> None:
    for wrong, said in (
        ({}, "needs either cron"),
        ({"cron": "@daily", "every": 60}, "needs either cron"),
        ({"every": 60, "time_zone": "Europe/Berlin"}, "a time zone is for cron"),
        ({"cron": "@daily", "start": "soon"}, "'soon' is not a time such as"),
        ({"cron": "daily"}, "daily"),
        ({"cron": "@daily", "time_zone": "Europe/Nowhere"}, "Europe/Nowhere"),
    ):
        with pytest.raises(sdk.Failure, match=said):
            sdk.schedule(flows.squares, **wrong)  # type: ignore[arg-type]
    with pytest.raises(sdk.NotThere, match="nothing is no file here"):
        sdk.schedule("nothing", cron="@daily")
    assert sdk.schedules() == []


def test_the_command_does_the_same(fairway: Command, tmp_path: Path) -> None:
    sdk.upload(flows.squares)
    made = fairway("schedules", "create", "squares", "--cron", "0 0 * * *", "--param", "n=1", "--name", "nightly")
    assert made.out.startswith("schedule nightly (")
    assert ", next at " in made.out
    assert "0 0 * * *" in fairway("schedules").out
    window = ("--start", f"{FIRST:%Y-%m-%d}", "--end", f"{LAST:%Y-%m-%d}")
    assert len(json.loads(fairway("schedules", "backfill", "nightly", *window, "--json").out)) == 3
    assert len(fairway("schedules", "calendar", "nightly", *window).out.splitlines()) == 4
    assert "planned" in fairway("schedules", "calendar", "nightly").out
    assert fairway("schedules", "edit", "nightly", "--cron", "30 1 * * *", "--time-zone", "Asia/Tokyo").code == 0
    assert "30 1 * * * (Asia/Tokyo)" in fairway("schedules", "show", "nightly").out
    assert fairway("schedules", "edit", "nightly", "--cron", "45 1 * * *").code == 0
    assert "45 1 * * * (Asia/Tokyo)" in fairway("schedules", "show", "nightly").out
    assert fairway("schedules", "edit", "nightly", "--time-zone", "Europe/Berlin").code == 0
    assert "45 1 * * * (Europe/Berlin)" in fairway("schedules", "show", "nightly").out
    run = fairway("schedules", "run", "nightly", "--follow")
    assert (run.code, run.out.splitlines()[-1]) == (0, "SUCCEEDED")
    assert fairway("schedules", "disable", "nightly").out == "disabled\n"
    assert json.loads(fairway("schedules", "show", "nightly", "--json").out)["status"] == "DISABLED"
    assert fairway("schedules", "enable", "nightly").code == 0
    assert fairway("schedules", "delete", "nightly").out == "deleted; its runs stay\n"
    assert 'no schedule "nightly"' in fairway("schedules", "show", "nightly").err
