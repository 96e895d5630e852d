"""Runs that are not over in time are late: noticed once, in the record and the message."""

from typing import Any

from tests.pipelines.schedules.conftest import NOON, World


async def only_run(world: World) -> Any:
    [run] = (await world.call("GET", "runs"))["runs"]
    return run


async def test_a_run_that_is_not_over_in_time_is_late(world: World) -> None:
    schedule = await world.schedule(late_after_seconds=90)
    await world.pass_(minutes=1)
    assert (await only_run(world))["late_at"] == "2024-05-01T12:02:30Z"
    await world.pass_(seconds=89)
    assert "late" not in await only_run(world)
    await world.pass_(seconds=2)
    assert (await only_run(world))["late"] is True
    [run] = await world.started(schedule)
    assert run["told_late_at"] == NOON + 151
    await world.end_all(schedule)
    await world.call("POST", f"recurringruns/{schedule}:disable")
    await world.pass_(hours=1)
    assert (await world.started(schedule))[0]["told_late_at"] == NOON + 151  # once
    assert (await only_run(world))["late"] is True  # and it stays so


async def test_the_loop_sleeps_no_longer_than_until_a_run_becomes_late(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "@hourly"}}, late_after_seconds=60)
    await world.pass_(hours=1)
    assert await world.look() == NOON + 3660
    await world.end_all(schedule)
    assert await world.look() == NOON + 7200


async def test_a_run_that_is_over_in_time_never_is(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "@hourly"}}, late_after_seconds=60)
    await world.pass_(hours=1)
    await world.clock.advance(60)
    await world.end_all(schedule)
    await world.pass_(hours=0.5)
    assert "late" not in await only_run(world)


async def test_a_run_that_ended_late_while_nobody_looked_was_late(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "@hourly"}}, late_after_seconds=60)
    await world.pass_(hours=1)
    await world.clock.advance(61)
    await world.end_all(schedule)
    await world.look()
    assert (await only_run(world))["late"] is True


async def test_a_run_that_ended_late_is_seen_by_the_next_server_too(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "@hourly"}}, late_after_seconds=60)
    await world.pass_(hours=1)
    await world.clock.advance(61)
    await world.end_all(schedule)
    await world.clock.advance(5 * 3600)
    world = world.another()
    await world.look()
    assert (await world.started(schedule))[0]["told_late_at"] > 0


async def test_whoever_waits_for_late_runs_is_woken(world: World) -> None:
    await world.schedule({"cron_schedule": {"cron": "@hourly"}}, late_after_seconds=60)
    await world.pass_(hours=1)
    ear = world.context.bell.ear()
    await world.pass_(seconds=61)
    assert ear._rung.is_set()


async def test_without_a_limit_nothing_is_late(world: World) -> None:
    await world.schedule({"cron_schedule": {"cron": "@hourly"}})
    await world.pass_(hours=1)
    await world.pass_(minutes=59)
    assert "late_at" not in await only_run(world)
    assert "late" not in await only_run(world)
