"""Triggers that follow the ends of runs: which count, once each, in their order, and none in a circle."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from fairway.pipelines.tables import run_states, runs
from fairway.pipelines.triggers import finding, starts
from fairway.pipelines.triggers.loop import Triggers
from fairway.pipelines.triggers.tables import triggers
from tests.pipelines.triggers.conftest import World, pipeline

AFTER: dict[str, Any] = {"pipeline_name": "upstream"}


async def test_a_success_starts_a_run_that_knows_of_what(world: World) -> None:
    trigger = await world.trigger(
        run=AFTER, runtime_config={"parameters": {"text": "[[trigger.run_id]] at [[trigger.time]]"}}
    )
    upstream = await world.run()
    await world.look()
    assert await world.started(trigger) == []
    await world.end(upstream)
    await world.look()
    (started,) = await world.started(trigger)
    assert started["parameters"] == {"text": f"{upstream} at 2023-11-14T22:13:20Z"}
    assert (started["pipeline_name"], started["state"]) == ("downstream", "PENDING")
    assert started["display_name"] == "then 2023-11-14 22-13-20"
    events = (await world.call("GET", f"triggers/{trigger['trigger_id']}/events"))["events"]
    assert [(each["run_id"], each["state"], each["about"]) for each in events] == [
        (started["id"], "STARTED", {"run_id": upstream})
    ]


@pytest.mark.parametrize(
    ("source", "ended", "fires"),
    [
        ({}, "SUCCEEDED", True),
        ({}, "FAILED", False),
        ({"states": ["FAILED", "CANCELED"]}, "FAILED", True),
        ({"states": ["FAILED", "CANCELED"]}, "CANCELED", True),
        ({"states": ["FAILED", "CANCELED"]}, "SUCCEEDED", False),
        ({"pipeline_name": "another"}, "SUCCEEDED", False),
    ],
)
async def test_which_ends_count(world: World, source: dict[str, Any], ended: str, fires: bool) -> None:
    trigger = await world.trigger(run=source)
    await world.end(await world.run(), ended)
    await world.look()
    assert len(await world.started(trigger)) == fires


async def test_runs_of_one_experiment(world: World) -> None:
    mine = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    trigger = await world.trigger(run={"experiment_id": mine})
    await world.end(await world.run())
    await world.end(await world.run(experiment_id=mine))
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_what_happened_before_or_while_it_was_disabled_does_not_count(world: World) -> None:
    early = await world.run()
    await world.end(early)
    trigger = await world.trigger(run=AFTER)
    one = f"triggers/{trigger['trigger_id']}"
    await world.look()
    await world.call("POST", f"{one}:disable")
    await world.end(await world.run())
    await world.look()
    await world.call("POST", f"{one}:enable")
    await world.look()
    assert await world.started(trigger) == []
    await world.end(await world.run())
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_enabling_what_is_enabled_forgets_nothing(world: World) -> None:
    trigger = await world.trigger(run=AFTER)
    await world.end(await world.run())
    await world.call("POST", f"triggers/{trigger['trigger_id']}:enable")
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_what_was_read_while_somebody_disabled_it_is_dropped(world: World) -> None:
    trigger = await world.trigger(run=AFTER)
    await world.end(await world.run())
    row, now = await row_of(world, trigger), world.clock.now()
    found, _ = await world.context.records.read(lambda connection: finding.look(connection, [row], now))
    assert len(found[0].events) == 1
    await world.call("POST", f"triggers/{trigger['trigger_id']}:disable")
    await world.context.records.write(lambda connection: finding.record(connection, found))
    await world.call("POST", f"triggers/{trigger['trigger_id']}:enable")
    await world.context.records.write(lambda connection: finding.record(connection, found))
    await world.look()
    assert await world.started(trigger) == []


@pytest.mark.parametrize("closing", [("POST", ":disable"), ("DELETE", "")])
async def test_nothing_starts_once_it_is_told_that_the_trigger_is_closed(
    world: World, closing: tuple[str, str]
) -> None:
    """Also where the event was read before, by this server or by another one."""
    trigger = await world.trigger(run=AFTER, max_concurrency=1)
    for _ in range(2):
        await world.end(await world.run())
    await world.look()
    (first,) = await world.started(trigger)
    await world.end(first["id"])
    due = await world.context.records.read(lambda connection: starts._due(connection, trigger["trigger_id"]))
    assert due is not None
    await world.call(closing[0], f"triggers/{trigger['trigger_id']}{closing[1]}")
    await starts._start(world.context, due)
    assert (await world.call("GET", "runs"))["total_size"] == 3
    if closing[0] == "POST":
        assert (await world.call("GET", f"triggers/{trigger['trigger_id']}"))["waiting"] == 1


async def test_a_new_source_counts_from_now(world: World) -> None:
    trigger = await world.trigger(run=AFTER)
    await world.end(await world.run("another"))
    await world.call("PATCH", f"triggers/{trigger['trigger_id']}", {"run": {"pipeline_name": "another"}})
    await world.look()
    assert await world.started(trigger) == []
    await world.end(await world.run("another"))
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_looking_again_starts_nothing_again(world: World) -> None:
    trigger = await world.trigger(run=AFTER, max_concurrency=5)
    await world.end(await world.run())
    for _ in range(3):
        await world.look()
        world.loop = Triggers(world.context)  # a server that was killed and is back
    assert len(await world.started(trigger)) == 1


async def test_a_run_that_is_retried_ends_again(world: World) -> None:
    trigger = await world.trigger(run={"states": ["FAILED", "SUCCEEDED"]}, max_concurrency=5)
    upstream = await world.run()
    await world.end(upstream, "FAILED")
    await world.call("POST", f"runs/{upstream}:retry")
    await world.end(upstream)
    await world.look()
    assert len(await world.started(trigger)) == 2


async def test_more_than_fit_wait_in_their_order_and_none_is_lost(world: World) -> None:
    trigger = await world.trigger(
        run=AFTER, max_concurrency=2, runtime_config={"parameters": {"text": "[[trigger.run_id]]"}}
    )
    ended = []
    for _ in range(5):
        ended.append(await world.run())
        await world.end(ended[-1])
    await world.look()
    assert await world.texts(trigger) == ended[:2]
    assert (await world.call("GET", f"triggers/{trigger['trigger_id']}"))["waiting"] == 3
    first, second = await world.started(trigger)
    await world.end(second["id"])
    await world.look()
    assert await world.texts(trigger) == ended[:3]
    await world.end(first["id"], "FAILED")
    await world.end((await world.started(trigger))[2]["id"])
    world.loop = Triggers(world.context)
    await world.look()
    assert await world.texts(trigger) == ended
    assert "waiting" not in await world.call("GET", f"triggers/{trigger['trigger_id']}")


async def test_triggers_that_start_each_other_go_round_once(world: World) -> None:
    there = await world.trigger(run={"pipeline_name": "upstream"})
    back = await world.trigger(
        run={"pipeline_name": "downstream"},
        pipeline_spec=pipeline("upstream"),
    )
    await world.end(await world.run())
    for _ in range(6):
        await world.look()
        for trigger in (there, back):
            for run in await world.started(trigger):
                await world.end(run["id"])
    assert (len(await world.started(there)), len(await world.started(back))) == (1, 1)
    stopped = await world.call("GET", f"triggers/{there['trigger_id']}")
    assert "followed from a run that this trigger had started" in stopped["error"]["message"]
    await world.end(await world.run())  # what a person starts goes round again
    await world.look()
    assert len(await world.started(there)) == 2


async def test_a_trigger_on_everything_does_not_fire_on_its_own_runs(world: World) -> None:
    trigger = await world.trigger(run={})
    await world.end(await world.run())
    await world.look()
    (own,) = await world.started(trigger)
    await world.end(own["id"])
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_what_cannot_be_started_is_told_and_holds_up_nothing(world: World) -> None:
    id_ = (await world.call("POST", "pipelines", {"display_name": "p"}))["pipeline_id"]
    one = f"pipelines/{id_}/versions"
    version = {"display_name": "v1", "pipeline_spec": pipeline("downstream")}
    made = await world.call("POST", f"{one}", version)
    trigger = await world.trigger(run=AFTER, pipeline_spec=None, pipeline_version_reference={"pipeline_id": id_})
    await world.call("DELETE", f"{one}/{made['pipeline_version_id']}")
    await world.end(await world.run())
    await world.look()
    told = await world.call("GET", f"triggers/{trigger['trigger_id']}")
    assert "has no version yet" in told["error"]["message"]
    assert "waiting" not in told
    await world.call("POST", f"{one}", version)
    await world.end(await world.run())
    await world.look()
    assert len(await world.started(trigger)) == 1
    assert "error" not in await world.call("GET", f"triggers/{trigger['trigger_id']}")


async def test_an_archived_experiment_has_no_triggers_that_fire(world: World) -> None:
    mine = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    trigger = await world.trigger(run=AFTER, experiment_id=mine)
    await world.call("POST", f"experiments/{mine}:archive")
    await world.end(await world.run())
    await world.look()
    assert await world.started(trigger) == []
    status, refused = await world.ask("POST", f"triggers/{trigger['trigger_id']}:enable")
    assert (status, refused["code"]) == (400, 9)
    assert "archived" in refused["message"]


async def test_the_end_of_a_deleted_run_takes_no_number_from_another(world: World) -> None:
    """SQLite gives the numbers of deleted rows again, unless the table forbids it; then ends would be missed."""
    trigger = await world.trigger(run=AFTER, max_concurrency=5)
    gone = await world.run()
    await world.end(gone)
    await world.look()
    await world.context.records.write(lambda c: c.execute(runs.delete().where(runs.c.id == gone)))
    for run in await world.started(trigger):
        await world.context.records.write(lambda c, id_=run["id"]: c.execute(runs.delete().where(runs.c.id == id_)))
    await world.end(await world.run())
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_a_number_that_appears_late_is_not_missed(two_servers: tuple[World, World]) -> None:
    """PostgreSQL: one server has taken a number and commits it after a later one of another."""
    world, other = two_servers
    trigger = await world.trigger(
        run=AFTER, max_concurrency=5, runtime_config={"parameters": {"text": "[[trigger.run_id]]"}}
    )
    slow, quick = await world.run(), await world.run()
    held, taken = asyncio.Event(), asyncio.Event()
    here = asyncio.get_running_loop()

    def end_slowly(connection: Any) -> None:
        values = {"run_id": slow, "state": "SUCCEEDED", "at": world.clock.now()}
        connection.execute(run_states.insert().values(**values))
        here.call_soon_threadsafe(taken.set)
        asyncio.run_coroutine_threadsafe(held.wait(), here).result(20)

    ending = asyncio.ensure_future(other.context.records.write(end_slowly))
    await taken.wait()
    await world.end(quick)
    await world.look()
    assert await world.texts(trigger) == [quick]
    held.set()
    await ending
    await world.look()
    assert await world.texts(trigger) == [quick, slow]


async def test_two_servers_start_each_run_once_and_not_too_many(two_servers: tuple[World, World]) -> None:
    world, other = two_servers
    trigger = await world.trigger(run=AFTER, max_concurrency=3)
    for _ in range(8):
        await world.end(await world.run())
    counted = []
    while len(counted) < 8:
        await asyncio.gather(*(server.look() for server in (world, other, world, other)))
        counted = await world.started(trigger)
        going = [run for run in counted if run["state"] == "PENDING"]
        assert len(going) <= 3
        await world.end(going[0]["id"])
    assert len({run["id"] for run in counted}) == len(counted) == 8


async def row_of(world: World, trigger: Any) -> dict[str, Any]:
    query = select(triggers).where(triggers.c.id == trigger["trigger_id"])
    return dict(await world.context.records.read(lambda connection: connection.execute(query).mappings().one()))
