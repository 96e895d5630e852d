"""The loop starts a run for each slot: in time, as often as allowed, with what the record says, and no slot twice."""

from zoneinfo import ZoneInfo

import pytest

from tests.pipelines.schedules.conftest import EVERY_MINUTE, NOON, World, clock
from tests.pipelines.world import pipeline


async def test_a_run_starts_at_each_slot_and_not_before(world: World) -> None:
    schedule = await world.schedule()
    assert await world.look() == NOON + 60
    await world.pass_(seconds=57)
    assert await world.look() == NOON + 60
    assert await world.slots(schedule) == []
    await world.pass_(seconds=3)
    assert await world.slots(schedule) == ["12:01:00"]
    await world.end_all(schedule)
    await world.pass_(seconds=60)
    assert await world.slots(schedule) == ["12:01:00", "12:02:00"]


async def test_the_run_says_where_it_is_from(world: World) -> None:
    schedule = await world.schedule(description="every minute", service_account="robot")
    await world.pass_(minutes=1, seconds=2)
    [run] = (await world.call("GET", "runs"))["runs"]
    assert run["display_name"] == "nightly-2024-05-01T12-01-00Z"
    assert run["recurring_run_id"] == schedule
    assert run["scheduled_at"] == "2024-05-01T12:01:00Z"
    assert run["created_at"] == "2024-05-01T12:01:02Z"
    assert run["runtime_config"] == {"parameters": {"text": "hi"}}
    assert run["service_account"] == "robot"
    assert run["state"] == "PENDING"
    experiment = await world.call("GET", f"experiments/{run['experiment_id']}")
    assert experiment["last_run_created_at"] == "2024-05-01T12:01:02Z"


async def test_a_run_is_named_in_the_schedules_own_time(world: World) -> None:
    trigger = {"cron_schedule": {"cron": "30 20 * * *", "time_zone": "Asia/Kolkata"}}
    schedule = await world.schedule(trigger)
    await world.pass_(hours=4)
    [run] = await world.started(schedule)
    assert run["display_name"] == "nightly-2024-05-01T20-30-00+0530"
    assert clock(run["scheduled_at"]) == "15:00:00"


async def test_missed_slots_are_made_up_for_one_after_the_other(world: World) -> None:
    schedule = await world.schedule()
    await world.pass_(minutes=4)
    for slots in (1, 2, 3, 4, 4):
        assert len(await world.slots(schedule)) == slots
        await world.end_all(schedule)
        await world.look()
    assert await world.slots(schedule) == ["12:01:00", "12:02:00", "12:03:00", "12:04:00"]


async def test_as_many_at_once_as_are_allowed(world: World) -> None:
    schedule = await world.schedule(max_concurrency="3")
    await world.pass_(minutes=10)
    assert await world.slots(schedule) == ["12:01:00", "12:02:00", "12:03:00"]
    await world.end((await world.started(schedule))[1]["id"])
    await world.look()
    assert await world.slots(schedule) == ["12:01:00", "12:02:00", "12:03:00", "12:04:00"]


async def test_without_catch_up_only_the_last_missed_slot_counts(world: World) -> None:
    schedule = await world.schedule(no_catchup=True, max_concurrency="5")
    await world.pass_(minutes=10, seconds=30)
    assert await world.slots(schedule) == ["12:10:00"]
    await world.pass_(seconds=30)
    assert await world.slots(schedule) == ["12:10:00", "12:11:00"]


async def test_an_interval_without_catch_up_starts_now_and_goes_on_in_its_grid(world: World) -> None:
    schedule = await world.schedule({"periodic_schedule": {"interval_second": "3600"}}, no_catchup=True)
    await world.pass_(hours=1)
    await world.end_all(schedule)
    await world.pass_(hours=2.5)
    await world.end_all(schedule)
    await world.pass_(hours=0.5)
    assert await world.slots(schedule) == ["13:00:00", "15:30:00", "16:00:00"]


async def test_while_a_run_goes_on_a_slot_waits_and_starts_when_the_bell_rings(world: World) -> None:
    schedule = await world.schedule()
    await world.pass_(minutes=1)
    await world.pass_(minutes=1)
    assert await world.slots(schedule) == ["12:01:00"]
    await world.end_all(schedule)
    await world.look()
    assert await world.slots(schedule) == ["12:01:00", "12:02:00"]


@pytest.mark.parametrize("trigger", [
    {"cron_schedule": {"cron": "* * * * *", "start_time": "1970-01-01T10:00:00Z", "end_time": "1970-01-01T10:02:00Z"}},
    {"periodic_schedule": {"interval_second": "60", "start_time": "1970-01-01T10:00:00Z",
                           "end_time": "1970-01-01T10:02:00Z"}},
])  # fmt: skip
async def test_a_window_in_the_past_is_made_up_for_as_upstream_does(world: World, trigger: object) -> None:
    """Two runs with catch-up, one without: upstream's integration tests."""
    every, last = await world.schedule(trigger, max_concurrency="10"), await world.schedule(trigger, no_catchup=True)
    await world.look()
    assert await world.slots(every) == ["10:01:00", "10:02:00"]
    assert await world.slots(last) == ["10:02:00"]
    assert "next_slots" not in await world.get(every)


@pytest.mark.parametrize("kind", [{"cron_schedule": {"cron": "*/30 * * * *"}},
                                  {"periodic_schedule": {"interval_second": 1800}}])  # fmt: skip
async def test_a_start_that_lies_ahead_is_the_first_slot_and_the_end_may_be_the_last(
    world: World, kind: dict[str, dict[str, object]]
) -> None:
    window = {"start_time": "2024-05-01T15:00:00+02:00", "end_time": "2024-05-01T14:00:00Z"}
    schedule = await world.schedule({name: {**fields, **window} for name, fields in kind.items()}, max_concurrency=10)
    assert (await world.get(schedule))["next_slots"] == [f"2024-05-01T{at}:00Z" for at in ("13:00", "13:30", "14:00")]
    await world.pass_(minutes=59)
    assert await world.slots(schedule) == []
    await world.pass_(hours=9)
    assert await world.slots(schedule) == ["13:00:00", "13:30:00", "14:00:00"]


async def test_without_a_trigger_it_runs_once(world: World) -> None:
    schedule = await world.schedule(trigger=None)
    assert "trigger" not in await world.get(schedule)
    await world.look()
    await world.end_all(schedule)
    await world.pass_(days=1)
    assert await world.slots(schedule) == ["12:00:00"]


async def test_a_disabled_schedule_starts_nothing_and_makes_up_for_it_when_enabled(world: World) -> None:
    every, last = await world.schedule(max_concurrency=10), await world.schedule(no_catchup=True)
    for schedule in (every, last):
        assert await world.call("POST", f"recurringruns/{schedule}:disable") == {}
    await world.pass_(minutes=3)
    assert await world.slots(every) == await world.slots(last) == []
    for schedule in (every, last):
        assert await world.call("POST", f"recurringruns/{schedule}:enable") == {}
    await world.look()
    assert await world.slots(every) == ["12:01:00", "12:02:00", "12:03:00"]
    assert await world.slots(last) == ["12:03:00"]


async def test_the_newest_version_is_chosen_when_the_slot_comes(world: World) -> None:
    made = await world.call("POST", "pipelines", {"name": "greeting"})
    address, ids = f"pipelines/{made['pipeline_id']}/versions", []
    for name in ("one", "two"):
        await world.clock.advance(1)
        body = {"name": name, "pipeline_spec": pipeline("greeting")}
        ids.append((await world.call("POST", address, body))["pipeline_version_id"])
    fixed = await world.schedule(
        pipeline_version_reference={"pipeline_id": made["pipeline_id"], "pipeline_version_id": ids[0]}
    )
    newest = await world.schedule(pipeline_version_reference={"pipeline_id": made["pipeline_id"]})
    await world.pass_(minutes=1)
    await world.clock.advance(1)
    newer = await world.call("POST", address, {"name": "three", "pipeline_spec": pipeline("greeting")})
    for schedule in (fixed, newest):
        await world.end_all(schedule)
    await world.pass_(minutes=1)
    assert [run["pipeline_version_id"] for run in await world.started(fixed)] == [ids[0], ids[0]]
    assert [run["pipeline_version_id"] for run in await world.started(newest)] == [
        ids[1], newer["pipeline_version_id"],
    ]  # fmt: skip


async def test_macros_are_final_in_the_records_of_runs(world: World) -> None:
    text = "[[Index]] of [[ScheduledTime.2006-01-02 15:04]], [[RunUUID]]"
    schedule = await world.schedule(runtime_config={"parameters": {"text": text}}, max_concurrency=5)
    await world.pass_(minutes=2)
    first, second = await world.started(schedule)
    assert first["parameters"] == {"text": f"1 of 2024-05-01 12:01, {first['id']}"}
    assert second["parameters"] == {"text": f"2 of 2024-05-01 12:02, {second['id']}"}
    assert (await world.get(schedule))["runtime_config"]["parameters"] == {"text": text}
    run = await world.call("POST", f"recurringruns/{schedule}:run")
    assert run["runtime_config"]["parameters"]["text"].startswith("3 of 2024-05-01 12:02")


async def test_a_slot_that_cannot_start_is_told_of_and_does_not_stop_the_schedule(world: World) -> None:
    made = await world.call("POST", "pipelines", {"name": "greeting"})
    address = f"pipelines/{made['pipeline_id']}/versions"
    await world.call("POST", address, {"name": "one", "pipeline_spec": pipeline("greeting")})
    schedule = await world.schedule(pipeline_version_reference={"pipeline_id": made["pipeline_id"]})
    other = pipeline("greeting")
    other["root"]["inputDefinitions"]["parameters"]["colour"] = {"parameterType": "STRING"}
    await world.clock.advance(1)
    await world.call("POST", address, {"name": "two", "pipeline_spec": other})
    await world.pass_(minutes=3)
    assert await world.slots(schedule) == []
    message = await world.get(schedule)
    assert message["error"] == {"code": 9, "message": "the pipeline needs a value for colour", "details": []}
    assert message["status"] == "ENABLED"
    await world.clock.advance(1)
    await world.call("POST", address, {"name": "three", "pipeline_spec": pipeline("greeting")})
    await world.pass_(minutes=1)
    assert await world.slots(schedule) == ["12:04:00"]  # those that were given up stay so
    assert "error" not in await world.get(schedule)


async def test_what_is_gone_or_archived_is_said(world: World) -> None:
    made = await world.call("POST", "pipelines", {"name": "greeting"})
    version = {"name": "one", "pipeline_spec": pipeline("greeting")}
    one = (await world.call("POST", f"pipelines/{made['pipeline_id']}/versions", version))["pipeline_version_id"]
    experiment = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    gone = await world.schedule(pipeline_version_reference={"pipeline_id": made["pipeline_id"]})
    homeless = await world.schedule(experiment_id=experiment)
    await world.call("DELETE", f"pipelines/{made['pipeline_id']}/versions/{one}")
    await world.call("DELETE", f"pipelines/{made['pipeline_id']}")
    await world.call("DELETE", f"experiments/{experiment}")
    await world.pass_(minutes=1)
    assert "there is no pipeline" in (await world.get(gone))["error"]["message"]
    assert "there is no experiment" in (await world.get(homeless))["error"]["message"]


async def test_archiving_an_experiment_disables_its_recurring_runs(world: World) -> None:
    experiment = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    schedule, other = await world.schedule(experiment_id=experiment), await world.schedule()
    await world.call("POST", f"experiments/{experiment}:archive")
    assert (await world.get(schedule))["status"] == "DISABLED"
    assert (await world.get(other))["status"] == "ENABLED"
    status, answer = await world.ask("POST", f"recurringruns/{schedule}:enable")
    assert (status, answer["code"]) == (400, 9)
    assert "unarchive the experiment first" in answer["message"]
    await world.call("POST", f"experiments/{experiment}:unarchive")
    assert (await world.get(schedule))["status"] == "DISABLED"
    await world.call("POST", f"recurringruns/{schedule}:enable")


async def test_a_clock_that_is_set_back_starts_no_slot_again(world: World) -> None:
    schedule = await world.schedule()
    await world.pass_(minutes=3)
    for _ in range(2):
        await world.end_all(schedule)
        await world.look()
    world.clock._now = NOON + 90
    await world.end_all(schedule)
    assert await world.look() == NOON + 240
    assert await world.slots(schedule) == ["12:01:00", "12:02:00", "12:03:00"]
    await world.pass_(minutes=2.5)
    assert await world.slots(schedule) == ["12:01:00", "12:02:00", "12:03:00", "12:04:00"]


async def test_a_clock_that_jumps_ahead_leaves_missed_slots(world: World) -> None:
    every, last = await world.schedule(), await world.schedule(no_catchup=True)
    world.clock._now = NOON + 86400 * 365 + 90
    await world.look()
    assert await world.slots(every) == ["12:01:00"]
    assert [run["scheduled_at"] for run in await world.started(last)] == [NOON + 86400 * 365 + 60]


async def test_a_schedule_without_a_time_zone_follows_the_settings(world: World) -> None:
    """They may be others when the server is back."""
    schedule = await world.schedule({"cron_schedule": {"cron": "0 9 * * *"}})
    assert (await world.row(schedule))["next_at"] == NOON + 21 * 3600
    world.loop._zone = ZoneInfo("America/New_York")
    await world.loop.refresh()
    assert (await world.row(schedule))["next_at"] == NOON + 3600
    await world.pass_(hours=1)
    [run] = await world.started(schedule)
    assert run["display_name"] == "nightly-2024-05-01T09-00-00-0400"


async def test_nothing_is_due_twice_however_often_it_is_looked(world: World) -> None:
    schedule = await world.schedule(EVERY_MINUTE, max_concurrency=10)
    for _ in range(6):
        await world.pass_(seconds=20)
        await world.look()
    assert await world.slots(schedule) == ["12:01:00", "12:02:00"]
