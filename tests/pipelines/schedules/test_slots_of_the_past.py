"""Backfills and the calendar: what was missed is seen, and made up for when somebody asks for it."""

from typing import Any

from sqlalchemy import func, select

from fairway.pipelines.schedules.tables import backfills
from tests.pipelines.schedules.conftest import World

HOURLY = {"cron_schedule": {"cron": "@hourly"}}
MORNING = {"start_time": "2024-05-01T06:00:00Z", "end_time": "2024-05-01T09:59:59Z"}


async def calendar(world: World, schedule: str, start: str, end: str) -> list[str]:
    day = "2024-05-01T{}:00Z"
    query = {"start_time": day.format(start), "end_time": day.format(end)}
    found = (await world.call("GET", f"recurringruns/{schedule}/slots", **query))["slots"]
    return [f"{slot['scheduled_at'][11:16]} {slot['state']}" for slot in found]


async def backfill(world: World, schedule: str, **fields: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await world.call("POST", f"recurringruns/{schedule}:backfill", fields))["slots"]
    return found


async def left(world: World) -> int:
    count = select(func.count()).select_from(backfills)
    return await world.context.records.read(lambda connection: int(connection.execute(count).scalar_one()))


async def test_each_slot_of_a_past_window_gets_its_run(world: World) -> None:
    schedule = await world.schedule(HOURLY)  # made at noon
    slots = await backfill(world, schedule, **MORNING, max_concurrency=10)
    assert [slot["scheduled_at"] for slot in slots] == [f"2024-05-01T{hour:02}:00:00Z" for hour in (6, 7, 8, 9)]
    assert {slot["state"] for slot in slots} == {"DUE"}
    await world.look()
    started = await world.started(schedule)
    assert [run["id"] for run in started] == [slot["run_id"] for slot in slots]
    assert started[0]["display_name"] == "nightly-2024-05-01T06-00-00Z"
    assert await left(world) == 1
    await world.end_all(schedule)
    await world.look()
    assert await left(world) == 0
    assert await backfill(world, schedule, **MORNING) == []
    await world.look()
    assert len(await world.started(schedule)) == 4


async def test_slots_that_have_a_run_are_left_alone(world: World) -> None:
    schedule = await world.schedule(HOURLY)
    await world.pass_(hours=1)
    await world.end_all(schedule)
    await world.call("POST", f"recurringruns/{schedule}:disable")
    await world.pass_(hours=2)
    window = {"start_time": "2024-05-01T11:00:00Z"}  # until now
    slots = await backfill(world, schedule, **window, max_concurrency=9)
    assert [slot["scheduled_at"][11:16] for slot in slots] == ["11:00", "12:00", "14:00", "15:00"]
    await world.look()
    assert await world.slots(schedule) == [f"{hour}:00:00" for hour in range(11, 16)]


async def test_a_backfill_goes_by_its_own_limit_beside_the_schedule(world: World) -> None:
    schedule = await world.schedule(HOURLY, max_concurrency=1)
    await backfill(world, schedule, **MORNING, max_concurrency=2)
    await world.look()
    assert await world.slots(schedule) == ["06:00:00", "07:00:00"]
    await world.pass_(hours=1)
    assert await world.slots(schedule) == ["06:00:00", "07:00:00", "13:00:00"]
    first, *_ = await world.started(schedule)
    await world.end(first["id"])
    await world.look()
    assert await world.slots(schedule) == ["06:00:00", "07:00:00", "08:00:00", "13:00:00"]
    await world.end_all(schedule)
    await world.look()
    await world.end_all(schedule)
    await world.look()
    assert await left(world) == 0
    assert len(await world.started(schedule)) == 5


async def test_without_a_limit_of_its_own_it_has_the_schedules(world: World) -> None:
    schedule = await world.schedule(HOURLY, max_concurrency=3, mode="DISABLE", late_after_seconds=1)
    await backfill(world, schedule, **MORNING)
    await world.look()
    assert len(await world.started(schedule)) == 3
    assert {run["late_at"] for run in await world.started(schedule)} == {0.0}  # late is what nobody asked for so late


async def test_disabling_a_schedule_ends_its_backfills(world: World) -> None:
    schedule = await world.schedule(HOURLY, mode="DISABLE")
    await backfill(world, schedule, **MORNING)
    await world.look()
    await world.call("POST", f"recurringruns/{schedule}:disable")
    await world.end_all(schedule)
    await world.look()
    assert (await left(world), len(await world.started(schedule))) == (0, 1)


async def test_a_backfill_that_cannot_go_on_says_so(world: World) -> None:
    experiment = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    schedule = await world.schedule(HOURLY, mode="DISABLE", experiment_id=experiment)
    await backfill(world, schedule, **MORNING)
    await world.call("DELETE", f"experiments/{experiment}")
    await world.look()
    assert await left(world) == 0
    assert (await world.get(schedule))["error"]["message"].startswith("the backfill was ended: there is no experiment")


async def test_what_is_no_past_window_is_refused(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "* * * * * *"}})
    for fields, sentence in (
        ({}, "start_time is missing"),
        ({"start_time": "yesterday"}, "must be a time"),
        ({**MORNING, "end_time": "2024-05-01T05:00:00Z"}, "before start_time"),
        ({**MORNING, "end_time": "2024-05-02T05:00:00Z"}, "lies ahead"),
        (MORNING, "more than 10,000 slots"),
        ({**MORNING, "max_concurrency": 0}, "from 1 to 10"),
        ({**MORNING, "colour": 1}, "unknown field"),
    ):
        status, answer = await world.ask("POST", f"recurringruns/{schedule}:backfill", fields)
        assert status == 400, fields
        assert sentence in answer["message"]
    assert (await world.ask("POST", "recurringruns/x:backfill", MORNING))[0] == 404


async def test_a_backfill_goes_with_its_schedule(world: World) -> None:
    schedule = await world.schedule(HOURLY)
    await backfill(world, schedule, **MORNING)
    await world.call("DELETE", f"recurringruns/{schedule}")
    await world.look()
    assert await left(world) == 0


async def test_the_calendar_shows_what_was_what_is_missing_and_what_will_be(world: World) -> None:
    schedule = await world.schedule(HOURLY)
    await world.pass_(hours=1)
    await world.end_all(schedule)
    await world.call("POST", f"recurringruns/{schedule}:disable")
    await world.clock.advance(2.5 * 3600)
    assert await calendar(world, schedule, "10:00", "17:00") == ["13:00 SUCCEEDED", "14:00 MISSED", "15:00 MISSED"]
    await world.call("POST", f"recurringruns/{schedule}:enable")
    assert await calendar(world, schedule, "14:00", "17:00") == [
        "14:00 DUE", "15:00 DUE", "16:00 PLANNED", "17:00 PLANNED",
    ]  # fmt: skip
    await world.look()
    assert (await calendar(world, schedule, "14:00", "15:00")) == ["14:00 PENDING", "15:00 DUE"]
    [entry] = (await world.call(
        "GET", f"recurringruns/{schedule}/slots", start_time="2024-05-01T14:00:00Z", end_time="2024-05-01T14:30:00Z"
    ))["slots"]  # fmt: skip
    assert entry["run_id"] == (await world.started(schedule))[1]["id"]


async def test_the_calendar_without_catch_up(world: World) -> None:
    schedule = await world.schedule(HOURLY, no_catchup=True)
    await world.clock.advance(3 * 3600)
    assert await calendar(world, schedule, "12:00", "16:00") == [
        "13:00 MISSED", "14:00 MISSED", "15:00 DUE", "16:00 PLANNED",
    ]  # fmt: skip
    await world.look()
    assert await calendar(world, schedule, "12:00", "15:00") == ["13:00 MISSED", "14:00 MISSED", "15:00 PENDING"]


async def test_the_calendar_shows_what_a_backfill_will_start_and_runs_out_of_turn(world: World) -> None:
    schedule = await world.schedule(HOURLY)
    await world.clock.advance(60)
    await world.call("POST", f"recurringruns/{schedule}:run")
    await backfill(world, schedule, **MORNING)
    await world.look()
    assert await calendar(world, schedule, "05:00", "13:00") == [
        "06:00 PENDING", "07:00 DUE", "08:00 DUE", "09:00 DUE", "12:01 PENDING", "13:00 PLANNED",
    ]  # fmt: skip


async def test_slots_before_the_trigger_was_what_it_is_were_not_missed(world: World) -> None:
    schedule = await world.schedule(HOURLY)
    await world.pass_(hours=1, seconds=1)
    half_past = {"trigger": {"cron_schedule": {"cron": "30 * * * *"}}}
    await world.call("PATCH", f"recurringruns/{schedule}", half_past)
    assert await calendar(world, schedule, "00:00", "15:00") == ["13:00 PENDING", "13:30 PLANNED", "14:30 PLANNED"]


async def test_the_calendar_is_of_this_week_and_the_next_unless_asked(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "@daily"}})
    slots = (await world.call("GET", f"recurringruns/{schedule}/slots"))["slots"]
    assert [slot["scheduled_at"][:10] for slot in slots] == [f"2024-05-{day:02}" for day in range(2, 9)]
    assert await world.call("GET", f"recurringruns/{schedule}/slots", end_time="2024-04-30T00:00:00Z") == {"slots": []}
    for query in ({"start_time": "x"}, {"start_time": "2030-01-01T00:00:00Z"}):
        assert (await world.ask("GET", f"recurringruns/{schedule}/slots", **query))[0] == 400
    assert (await world.ask("GET", "recurringruns/x/slots"))[0] == 404
