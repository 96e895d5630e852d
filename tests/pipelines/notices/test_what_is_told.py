"""Which events are told, to which rules, and each of them once."""

import asyncio
from typing import Any

import pytest

from fairway.pipelines.notices import noticing
from fairway.pipelines.notices.loop import Notices
from tests.pipelines.notices.conftest import World
from tests.pipelines.notices.receiver import Receiver
from tests.pipelines.world import URL


async def test_a_failure_is_told_with_what_and_where(world: World, receiver: Receiver) -> None:
    rule = await world.rule("FAILED", webhook={"url": receiver.url})
    run = await world.run()
    await world.end(run, "FAILED", message="train: no data")
    await world.tell()
    (body,) = receiver.bodies
    (delivery,) = await world.deliveries(rule)
    assert body == {
        "id": delivery["id"],
        "event": "FAILED",
        "message": 'The run "upstream" failed: train: no data',
        "url": f"{URL}/#/runs/details/{run}",
        "run": {
            "run_id": run,
            "display_name": "upstream",
            "state": "FAILED",
            "namespace": "default",
            "experiment_id": body["run"]["experiment_id"],
            "pipeline_name": "upstream",
            "created_at": "2023-11-14T22:13:20Z",
            "finished_at": "2023-11-14T22:13:20Z",
        },
    }
    headers = receiver.calls[0][0]
    assert headers["Content-Type"] == "application/json"
    assert (headers["X-Fairway-Event"], headers["X-Fairway-Delivery"]) == ("FAILED", delivery["id"])
    assert "X-Fairway-Signature" not in headers
    assert (delivery["state"], delivery["attempts"]) == ("DELIVERED", 1)


@pytest.mark.parametrize(
    ("rule", "ended", "told"),
    [
        ({"events": ["SUCCEEDED"]}, "SUCCEEDED", True),
        ({"events": ["FAILED", "CANCELED"]}, "CANCELED", True),
        ({"events": ["FAILED", "CANCELED"]}, "SUCCEEDED", False),
        ({"only": {"pipeline_name": "upstream"}}, "FAILED", True),
        ({"only": {"pipeline_name": "another"}}, "FAILED", False),
        ({"namespace": "team"}, "FAILED", False),
    ],
)
async def test_which_ends_are_told(
    world: World, receiver: Receiver, rule: dict[str, Any], ended: str, told: bool
) -> None:
    await world.rule(**{"events": ["FAILED"], "webhook": {"url": receiver.url}, **rule})
    await world.end(await world.run(), ended)
    await world.tell()
    assert len(receiver.calls) == told


async def test_all_that_a_rule_names_must_hold(world: World, receiver: Receiver) -> None:
    mine = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    only = {"experiment_id": mine, "pipeline_name": "upstream"}
    await world.rule("FAILED", webhook={"url": receiver.url}, only=only)
    for fields in ({}, {"experiment_id": mine}):
        await world.end(await world.run(**fields), "FAILED")
    await world.end(await world.run("another", experiment_id=mine), "FAILED")
    await world.tell()
    assert [body["run"]["experiment_id"] for body in receiver.bodies] == [mine]


async def test_a_late_run_is_told_once(world: World, receiver: Receiver) -> None:
    await world.rule("LATE", webhook={"url": receiver.url})
    run = await world.run()
    await world.late(run, world.clock.now() - 60)
    await world.tell()
    assert [(body["event"], body["message"]) for body in receiver.bodies] == [
        ("LATE", 'The run "upstream" is late: it was to be over by 2023-11-14T22:12:20Z')
    ]
    await world.pass_(3600)
    world.loop = Notices(world.context)
    await world.tell()
    assert len(receiver.calls) == 1


async def test_of_more_than_a_page_that_comes_in_one_moment_all_is_told(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a night in which the server was away."""
    monkeypatch.setattr(noticing, "_AT_ONCE", 2)
    await world.rule("LATE", "APPROVAL", webhook={"url": receiver.url})
    await world.clock.advance(1)
    for _ in range(5):
        run = await world.run()
        await world.late(run, world.clock.now() - 60)
        await world.ask_for(run, "deploy?")
    await world.tell()
    assert [body["event"] for body in receiver.bodies].count("LATE") == 5
    assert [body["event"] for body in receiver.bodies].count("APPROVAL") == 5
    await world.pass_(60)
    assert len(receiver.bodies) == 10


async def test_a_question_is_told_with_what_answers_it(world: World, receiver: Receiver) -> None:
    await world.rule("APPROVAL", webhook={"url": receiver.url})
    run = await world.run()
    await world.ask_for(run, "was decided already", state="APPROVED")
    task = await world.ask_for(run, "deploy to production?")
    await world.tell()
    (body,) = receiver.bodies
    assert body["message"] == ('The run "upstream" waits at the step "deploy" for an approval: deploy to production?')
    assert body["approval"] == {"task_id": task, "message": "deploy to production?"}
    assert (body["run"]["run_id"], body["run"]["state"]) == (run, "PENDING")


async def test_what_comes_to_light_late_is_told(world: World, receiver: Receiver) -> None:
    """Another server's write that took a while: what it says happened before what was told already."""
    await world.rule("LATE", "APPROVAL", webhook={"url": receiver.url})
    early, slow = world.clock.now() + 10, await world.run()
    await world.clock.advance(20)
    await world.late(await world.run(), early)
    await world.ask_for(slow, "first")
    await world.tell()
    now, world.clock._now = world.clock.now(), early
    await world.late(slow, early)
    await world.ask_for(slow, "second")
    world.clock._now = now
    await world.tell()
    assert len(receiver.calls) == 4


async def test_what_happened_before_or_while_a_rule_was_disabled_is_not_told(world: World, receiver: Receiver) -> None:
    async def everything() -> None:
        run = await world.run()
        await world.late(run, world.clock.now())
        await world.ask_for(await world.run(), "?")
        await world.end(run, "FAILED")
        await world.clock.advance(0.5)

    await everything()
    rule = await world.rule("FAILED", "LATE", "APPROVAL", webhook={"url": receiver.url})
    await world.tell()
    await world.call("POST", f"notices/{rule['notice_id']}:disable")
    await everything()
    await world.tell()
    await world.call("POST", f"notices/{rule['notice_id']}:enable")
    await world.tell()
    assert receiver.calls == []
    await everything()
    await world.tell()
    assert sorted(body["event"] for body in receiver.bodies) == ["APPROVAL", "FAILED", "LATE"]


async def test_what_was_read_while_somebody_disabled_the_rule_is_dropped(world: World, receiver: Receiver) -> None:
    rule = await world.rule("FAILED", webhook={"url": receiver.url})
    await world.end(await world.run(), "FAILED")
    now = world.clock.now()
    noticed, _ = await world.context.records.read(lambda connection: noticing.look(connection, now, URL))
    assert len(noticed[0].deliveries) == 1
    for change in (":disable", ":enable"):
        await world.call("POST", f"notices/{rule['notice_id']}{change}")
        await world.context.records.write(lambda connection: noticing.record(connection, noticed))
    await world.tell()
    assert receiver.calls == []


async def test_a_run_that_is_retried_is_told_of_each_time(world: World, receiver: Receiver) -> None:
    await world.rule("FAILED", "SUCCEEDED", webhook={"url": receiver.url})
    run = await world.run()
    await world.end(run, "FAILED")
    await world.call("POST", f"runs/{run}:retry")
    await world.clock.advance(1)
    await world.end(run)
    await world.tell()
    assert [(body["event"], body["run"]["state"]) for body in receiver.bodies] == [
        ("FAILED", "FAILED"),
        ("SUCCEEDED", "SUCCEEDED"),
    ]


async def test_each_rule_is_told_in_the_order_of_events(world: World, receiver: Receiver) -> None:
    await world.rule("FAILED", webhook={"url": receiver.url})
    names = [f"run-{number}" for number in range(5)]
    for name in names:
        await world.end(await world.run(name), "FAILED")
        await world.clock.advance(1)
    await world.tell()
    assert [body["run"]["display_name"] for body in receiver.bodies] == names


async def test_looking_again_tells_nothing_again(world: World, receiver: Receiver) -> None:
    await world.rule("FAILED", webhook={"url": receiver.url})
    await world.end(await world.run(), "FAILED")
    for _ in range(3):
        await world.tell()
        world.loop = Notices(world.context)  # a server that was killed and is back
    assert len(receiver.calls) == 1


async def test_two_servers_tell_each_event_once(two_servers: tuple[World, World], receiver: Receiver) -> None:
    world, other = two_servers
    for _ in range(3):
        await world.rule("FAILED", "LATE", webhook={"url": receiver.url})
    for _ in range(4):
        run = await world.run()
        await world.late(run, world.clock.now())
        await world.end(run, "FAILED")
        await asyncio.gather(*(server.tell() for server in (world, other, world, other)))
    await asyncio.gather(world.tell(), other.tell())
    assert len({body["id"] for body in receiver.bodies}) == len(receiver.calls) == 3 * 4 * 2
