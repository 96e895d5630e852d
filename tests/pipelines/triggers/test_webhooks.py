"""Webhooks: a call with the trigger's own token starts a run; every other call learns nothing."""

from typing import Any

import pytest
from sqlalchemy import select

from fairway.pipelines.triggers import calls
from fairway.pipelines.triggers.tables import triggers
from tests.pipelines.triggers.conftest import WORKLOAD, World


async def hook(world: World, **fields: Any) -> Any:
    return await world.trigger(webhook={}, **fields)


async def fire(world: World, trigger: Any, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
    path = f"triggers/{trigger['trigger_id']}:fire"
    return await world.ask("POST", path, body, token=trigger["token"] if token is None else token)


async def test_a_call_starts_a_run_at_once(world: World) -> None:
    trigger = await hook(world)
    status, answer = await fire(world, trigger, {"parameters": {"text": "from outside", "times": 3}})
    assert (status, answer["state"]) == (200, "STARTED")
    (run,) = await world.started(trigger)
    assert (run["id"], run["parameters"]) == (answer["run_id"], {"text": "from outside", "times": 3})
    assert (await world.call("GET", f"runs/{answer['run_id']}"))["state"] == "PENDING"


async def test_the_token_may_come_in_a_header_of_its_own(world: World) -> None:
    trigger = await hook(world)
    url = f"{world.url}/apis/v2beta1/triggers/{trigger['trigger_id']}:fire"
    async with world.session.post(url, headers={"X-Fairway-Token": trigger["token"]}) as response:
        assert response.status == 200
    assert len(await world.started(trigger)) == 1
    async with world.session.post(url, headers={"X-Fairway-Token": "\udcff"}) as response:
        assert response.status == 401


async def test_strangers_are_told_the_same_whether_there_is_such_a_trigger_or_not(world: World) -> None:
    trigger, other = await hook(world), await hook(world)
    follower = await world.trigger(run={})
    answers = [
        await fire(world, trigger, token="wrong"),
        await fire(world, trigger, token=""),
        await fire(world, trigger, token=other["token"]),
        await fire(world, {"trigger_id": "nothing-here"}, token=other["token"]),
        await fire(world, follower, token=""),
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401
    await world.look()
    assert await world.started(trigger) == []


async def test_only_the_digest_of_a_token_is_kept_and_only_its_maker_sees_it(world: World) -> None:
    trigger = await hook(world)
    one = f"triggers/{trigger['trigger_id']}"
    (kept,) = await world.context.records.read(lambda c: c.execute(select(triggers)).mappings().all())
    assert trigger["token"] not in str(dict(kept))
    assert kept["token_digest"] == calls.digest(trigger["token"])
    for answer in (await world.call("GET", one), await world.call("GET", "triggers")):
        assert "token" not in str(answer)
    renewed = await world.call("POST", f"{one}:rotate")
    assert (await fire(world, trigger))[0] == 401
    assert (await fire(world, renewed))[0] == 200


async def test_who_may_start_runs_there_anyway_may_fire_without_the_token(world: World) -> None:
    mine = (await world.call("POST", "experiments", {"display_name": "e", "namespace": "team"}))["experiment_id"]
    in_default, in_team = await hook(world), await hook(world, experiment_id=mine)
    assert (await fire(world, in_default, token="the-owners-token"))[0] == 200
    assert (await fire(world, in_team, token=WORKLOAD))[0] == 200
    assert (await fire(world, in_default, token=WORKLOAD))[0] == 403
    assert (await fire(world, {"trigger_id": "nothing-here"}, token=WORKLOAD))[0] == 404


async def test_a_key_makes_a_repeated_call_count_once(world: World) -> None:
    trigger = await hook(world, max_concurrency=9)
    first = await fire(world, trigger, {"key": "build 7"})
    await world.end(first[1]["run_id"])
    again = await fire(world, trigger, {"key": "build 7"})
    assert (again[0], again[1]["run_id"]) == (200, first[1]["run_id"])
    assert (await fire(world, trigger, {"key": "build 8"}))[1]["run_id"] != first[1]["run_id"]
    for _ in range(2):
        await fire(world, trigger)
    assert len(await world.started(trigger)) == 4


async def test_calls_that_find_no_room_wait(world: World) -> None:
    trigger = await hook(world)
    answers = [(await fire(world, trigger, {"parameters": {"text": text}}))[1] for text in ("a", "b", "c")]
    assert [answer["state"] for answer in answers] == ["STARTED", "WAITING", "WAITING"]
    for answer in answers:
        await world.end(answer["run_id"])
        await world.look()
    assert await world.texts(trigger) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("webhook", "body", "sentence"),
    [
        ({}, {"parameters": {"nothing": 1}}, "no parameter nothing"),
        ({}, {"parameters": {"times": "many"}}, "times: expected an integer"),
        ({}, {"parameters": []}, "parameters must be an object"),
        (
            {"parameters": ["times"]},
            {"parameters": {"text": "x"}},
            "does not allow a call to give text; it allows times",
        ),
        ({"parameters": []}, {"parameters": {"text": "x"}}, "it allows none"),
        ({}, {"surprise": 1}, 'unknown field "surprise"'),
        ({}, {"key": 7}, "key must be a string"),
        ({}, [], "must be a JSON object"),
    ],
)
async def test_a_wrong_call_is_refused_and_starts_nothing(world: World, webhook: Any, body: Any, sentence: str) -> None:
    trigger = await world.trigger(webhook=webhook)
    status, answer = await fire(world, trigger, body)
    assert (status, sentence in answer["message"]) == (400, True), answer
    await world.look()
    assert await world.started(trigger) == []


async def test_a_call_may_give_what_the_trigger_leaves_open(world: World) -> None:
    trigger = await hook(world, runtime_config={})
    status, answer = await fire(world, trigger)
    assert (status, "needs a value for text" in answer["message"]) == (400, True)
    await fire(world, trigger, {"parameters": {"text": "given"}})
    assert await world.texts(trigger) == ["given"]


async def test_what_a_caller_gives_is_no_macro(world: World) -> None:
    trigger = await hook(world)
    await fire(world, trigger, {"parameters": {"text": "[[trigger.time]]"}})
    assert await world.texts(trigger) == ["[[trigger.time]]"]


async def test_bodies_and_rates_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = await hook(world)
    assert (await fire(world, trigger, {"parameters": {"text": "x" * calls.LARGEST_BODY}}))[0] == 413
    monkeypatch.setattr(calls, "MOST_WAITING", 3)
    answers = [await fire(world, trigger) for _ in range(6)]
    assert [status for status, _ in answers] == [200] * 4 + [429] * 2  # one runs, three wait
    assert "wait to be started" in answers[-1][1]["message"]
    statuses = [(await fire(world, trigger))[0] for _ in range(calls.AT_ONCE)]
    assert statuses[-1] == 429
    await world.clock.advance(1)
    assert (await fire(world, trigger))[1]["message"].startswith("3 calls wait")


async def test_a_disabled_trigger_and_one_without_a_webhook_are_not_fired(world: World) -> None:
    trigger, follower = await hook(world), await world.trigger(run={})
    await world.call("POST", f"triggers/{trigger['trigger_id']}:disable")
    status, answer = await fire(world, trigger)
    assert (status, answer["message"].startswith("the trigger is disabled")) == (400, True)
    status, answer = await fire(world, follower, token="the-owners-token")
    assert (status, "no webhook" in answer["message"]) == (400, True)
