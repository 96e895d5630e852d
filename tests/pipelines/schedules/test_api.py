"""Recurring runs over HTTP: what Fairway adds to upstream's, and who may do what."""

from typing import Any

import pytest

from tests.pipelines.schedules.conftest import EVERY_MINUTE, World
from tests.pipelines.world import WORKLOAD, pipeline


def body(**changes: Any) -> dict[str, Any]:
    return {
        "display_name": "nightly",
        "pipeline_spec": pipeline("nightly"),
        "runtime_config": {"parameters": {"text": "hi"}},
        "trigger": EVERY_MINUTE,
        "mode": "ENABLE",
        **changes,
    }


async def test_the_next_slots_are_told(world: World) -> None:
    trigger = {"cron_schedule": {"cron": "0 9 * * MON-FRI", "time_zone": "Europe/Berlin"}}
    schedule = await world.schedule(trigger, late_after_seconds=600)
    message = await world.get(schedule)
    assert message["trigger"] == trigger
    assert message["late_after_seconds"] == 600
    assert message["next_slots"] == [f"2024-05-{day}T07:00:00Z" for day in ("02", "03", "06", "07", "08")]
    await world.call("POST", f"recurringruns/{schedule}:disable")
    assert "next_slots" not in await world.get(schedule)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trigger": {**EVERY_MINUTE, "periodic_schedule": {"interval_second": 1}}}, "not both"),
        ({"trigger": {"cron_schedule": {}}}, "cron is missing"),
        ({"trigger": {"periodic_schedule": {}}}, "interval_second must be a whole number from 1"),
        ({"trigger": {"periodic_schedule": {"interval_second": "soon"}}}, "interval_second must be"),
        ({"trigger": {"cron_schedule": {"cron": "@daily", "time_zone": "Mars"}}}, "no time zone 'Mars'"),
        (
            {"trigger": {"cron_schedule": {"cron": "TZ=Asia/Tokyo @daily", "time_zone": "Europe/Berlin"}}},
            "another time zone",
        ),
        ({"trigger": {"cron_schedule": {"cron": "@daily", "start_time": "tomorrow"}}}, "start_time must be a time"),
        ({"trigger": {"cron_schedule": {"cron": "@daily", "start_time": "2024-05-01T09:00:00"}}}, "must be a time"),
        (
            {"trigger": {"cron_schedule": {"cron": "@daily", "start_time": "2024-05-02T09:00:00Z",
                                           "end_time": "2024-05-01T09:00:00Z"}}},
            "end_time is before start_time",
        ),
        ({"trigger": {"cron_schedule": {"cron": "0 0 30 2 *"}}}, "never comes"),
        ({"trigger": {"cron_schedule": {"cron": "@daily", "colour": 1}}}, 'unknown field "colour"'),
        ({"trigger": "daily"}, "must be a JSON object"),
        ({"mode": "SOMETIMES"}, "mode must be ENABLE or DISABLE"),
        ({"no_catchup": "yes"}, "no_catchup must be true or false"),
        ({"late_after_seconds": -1}, "late_after_seconds must be"),
        ({"max_concurrency": 2.5}, "max_concurrency must be"),
        ({"display_name": " "}, "display_name is missing"),
        ({"pipeline_spec": None}, "needs a pipeline_spec"),
        ({"surprise": 1}, 'unknown field "surprise"'),
    ],
)  # fmt: skip
async def test_a_wrong_recurring_run_is_refused_at_once_with_a_sentence(
    world: World, changes: dict[str, Any], sentence: str
) -> None:
    status, answer = await world.ask("POST", "recurringruns", body(**changes))
    assert (status, answer["code"]) == (400, 3), answer
    assert sentence in answer["message"]
    assert await world.call("GET", "recurringruns") == {}


async def test_plugins_are_refused_by_name(world: World) -> None:
    status, answer = await world.ask("POST", "recurringruns", body(plugins_input={"mlflow": {}}))
    assert (status, answer["code"]) == (501, 12)


async def test_without_a_mode_it_is_disabled_as_upstream_has_it(world: World) -> None:
    made = await world.call("POST", "recurringruns", {k: v for k, v in body().items() if k != "mode"})
    assert (made["mode"], made["status"]) == ("DISABLE", "DISABLED")
    made = await world.call("POST", "recurringruns", body(mode=1))  # upstream's number
    assert (made["mode"], made["status"]) == ("ENABLE", "ENABLED")


async def test_everything_but_the_ids_can_be_changed(world: World) -> None:
    schedule = await world.schedule()
    before = await world.get(schedule)
    await world.clock.advance(10)
    experiment = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    changes = {
        "display_name": "hourly", "description": "each hour", "max_concurrency": "4", "no_catchup": True,
        "late_after_seconds": 60, "service_account": "robot", "experiment_id": experiment, "mode": "DISABLE",
        "runtime_config": {"parameters": {"text": "bye"}}, "pipeline_spec": pipeline("other"),
        "trigger": {"cron_schedule": {"cron": "@hourly", "time_zone": "Europe/Berlin"}},
    }  # fmt: skip
    after = await world.call("PATCH", f"recurringruns/{schedule}", changes)
    assert {name: after[name] for name in changes} == changes
    assert after["status"] == "DISABLED"
    assert after["updated_at"] != before["updated_at"]
    for fixed in ("recurring_run_id", "created_at"):
        assert after[fixed] == before[fixed]
    assert await world.get(schedule) == after
    ids = {"recurring_run_id": "other", "created_at": "2020-01-01T00:00:00Z", "status": "ENABLED"}
    kept = await world.call("PATCH", f"recurringruns/{schedule}", ids)
    assert (kept["recurring_run_id"], kept["created_at"], kept["status"]) == (
        schedule,
        before["created_at"],
        "DISABLED",
    )


async def test_what_is_not_given_stays(world: World) -> None:
    schedule = await world.schedule(max_concurrency=3, description="d")
    before = await world.get(schedule)
    after = await world.call("PATCH", f"recurringruns/{schedule}", {"display_name": "renamed"})
    assert {**after, "display_name": "", "updated_at": ""} == {**before, "display_name": "", "updated_at": ""}
    await world.pass_(minutes=1)
    [run] = await world.started(schedule)
    assert run["display_name"].startswith("renamed-")


async def test_a_new_trigger_counts_from_now(world: World) -> None:
    schedule = await world.schedule(max_concurrency=10)
    await world.pass_(minutes=2)
    await world.clock.advance(600)  # in which no server was there
    trigger = {"periodic_schedule": {"interval_second": 60, "start_time": "2024-05-01T12:00:30Z"}}
    await world.call("PATCH", f"recurringruns/{schedule}", {"trigger": trigger})
    await world.pass_(seconds=61)
    assert await world.slots(schedule) == ["12:01:00", "12:02:00", "12:12:30"]


async def test_a_trigger_that_only_ends_at_another_time_goes_on_where_it_was(world: World) -> None:
    schedule = await world.schedule(max_concurrency=10)
    await world.clock.advance(180)
    ending = {"cron_schedule": {"cron": "* * * * *", "end_time": "2024-05-01T12:02:00Z"}}
    await world.call("PATCH", f"recurringruns/{schedule}", {"trigger": ending})
    await world.look()
    assert await world.slots(schedule) == ["12:01:00", "12:02:00"]


async def test_a_change_is_checked_like_a_new_one(world: World) -> None:
    schedule = await world.schedule()
    for change, sentence in (
        ({"trigger": {"cron_schedule": {"cron": "99 * * * *"}}}, "the minute is wrong"),
        ({"runtime_config": {"parameters": {"txet": "hi"}}}, "no parameter txet"),
        ({"pipeline_version_reference": {"pipeline_id": "x"}}, "there is no pipeline"),
        ({"max_concurrency": 11}, "from 1 to 10"),
        ({"experiment_id": "x"}, "there is no experiment"),
    ):
        status, answer = await world.ask("PATCH", f"recurringruns/{schedule}", change)
        assert status in (400, 404)
        assert sentence in answer["message"]
    status, _ = await world.ask("PATCH", "recurringruns/x", {"display_name": "x"})
    assert status == 404


async def test_a_change_puts_right_what_the_schedule_complained_of(world: World) -> None:
    experiment = (await world.call("POST", "experiments", {"display_name": "mine"}))["experiment_id"]
    schedule = await world.schedule(experiment_id=experiment)
    await world.call("DELETE", f"experiments/{experiment}")
    await world.pass_(minutes=1)
    assert "error" in await world.get(schedule)
    other = (await world.call("POST", "experiments", {"display_name": "other"}))["experiment_id"]
    await world.call("PATCH", f"recurringruns/{schedule}", {"experiment_id": other})
    assert "error" not in await world.get(schedule)
    await world.pass_(minutes=1)
    assert await world.slots(schedule) == ["12:02:00"]


async def test_deleting_leaves_runs_unless_the_policy_says_otherwise(world: World) -> None:
    for policy, state in (("", "PENDING"), ("ORPHAN", "PENDING"), ("BACKGROUND", "CANCELING"), ("1", "CANCELING")):
        schedule = await world.schedule(max_concurrency=2)
        await world.pass_(minutes=2)
        first, _ = await world.started(schedule)
        await world.end(first["id"])
        query = {"propagation_policy": policy} if policy else {}
        assert await world.call("DELETE", f"recurringruns/{schedule}", **query) == {}
        assert [run["state"] for run in await world.started(schedule)] == ["SUCCEEDED", state]
        assert (await world.ask("DELETE", f"recurringruns/{schedule}"))[0] == 404
        await world.pass_(minutes=5)
        assert len(await world.started(schedule)) == 2
    schedule = await world.schedule()
    status, answer = await world.ask("DELETE", f"recurringruns/{schedule}", propagation_policy="SOMEHOW")
    assert (status, answer["code"]) == (400, 3)


async def test_a_run_now(world: World) -> None:
    schedule = await world.schedule({"cron_schedule": {"cron": "@yearly"}}, mode="DISABLE", late_after_seconds=60)
    await world.clock.advance(0.5)
    first = await world.call("POST", f"recurringruns/{schedule}:run")
    assert (first["recurring_run_id"], first["state"]) == (schedule, "PENDING")
    assert first["scheduled_at"] == "2024-05-01T12:00:00.500000Z"
    assert first["late_at"] == "2024-05-01T12:01:00.500000Z"
    config = {"runtime_config": {"parameters": {"text": "bye"}}}
    second = await world.call("POST", f"recurringruns/{schedule}:run", config)
    assert second["runtime_config"]["parameters"] == {"text": "bye"}
    assert second["run_id"] != first["run_id"]
    for wrong in ({"parameters": {"txet": 1}}, {"parameters": 1}, {"pipeline_root": "x"}):
        assert (await world.ask("POST", f"recurringruns/{schedule}:run", {"runtime_config": wrong}))[0] == 400
    assert len(await world.started(schedule)) == 2


async def test_a_workload_looks_at_all_and_changes_those_of_its_own_namespace(world: World) -> None:
    schedule = await world.schedule()
    assert (await world.call("GET", f"recurringruns/{schedule}", token=WORKLOAD))["display_name"] == "nightly"
    for method, path, sent in (
        ("PATCH", f"recurringruns/{schedule}", {"display_name": "mine"}),
        ("DELETE", f"recurringruns/{schedule}", None),
        ("POST", f"recurringruns/{schedule}:enable", None),
        ("POST", f"recurringruns/{schedule}:disable", None),
        ("POST", f"recurringruns/{schedule}:run", None),
        ("POST", f"recurringruns/{schedule}:backfill", {"start_time": "2024-04-30T00:00:00Z"}),
        ("POST", "recurringruns", body()),
    ):
        status, answer = await world.ask(method, path, sent, token=WORKLOAD)
        assert (status, answer["code"]) == (403, 7), path
    team = (await world.call("POST", "experiments", {"display_name": "t", "namespace": "team"}))["experiment_id"]
    made = await world.call("POST", "recurringruns", body(experiment_id=team), token=WORKLOAD)
    assert (made["namespace"], made["created_by"]) == ("team", "system:serviceaccount:team:default")
    own = f"recurringruns/{made['recurring_run_id']}"
    await world.call("PATCH", own, {"display_name": "mine"}, token=WORKLOAD)
    default = (await world.get(schedule))["experiment_id"]
    assert (await world.ask("PATCH", own, {"experiment_id": default}, token=WORKLOAD))[0] == 403
    await world.call("POST", f"{own}:run", token=WORKLOAD)
    await world.call("DELETE", own, token=WORKLOAD)


async def test_strangers_get_nothing(world: World) -> None:
    schedule = await world.schedule()
    for method, path in (
        ("GET", "recurringruns"), ("POST", "recurringruns"), ("GET", f"recurringruns/{schedule}"),
        ("PATCH", f"recurringruns/{schedule}"), ("DELETE", f"recurringruns/{schedule}"),
        ("GET", f"recurringruns/{schedule}/slots"), ("POST", f"recurringruns/{schedule}:run"),
        ("POST", f"recurringruns/{schedule}:backfill"), ("POST", f"recurringruns/{schedule}:enable"),
    ):  # fmt: skip
        assert (await world.ask(method, path, token="forged"))[0] == 401


@pytest.mark.parametrize("what", ["recurringruns", "triggers"])
async def test_no_workload_puts_code_into_what_another_namespace_runs_by_itself(world: World, what: str) -> None:
    version = {"name": "one", "pipeline_spec": pipeline("nightly")}
    made = await world.call("POST", "pipelines/create", {"pipeline": {"name": "nightly"}, "pipeline_version": version})
    versions = f"pipelines/{made['pipeline_id']}/versions"
    await world.call("POST", versions, {**version, "name": "two"}, token=WORKLOAD)
    follows = body(pipeline_version_reference={"pipeline_id": made["pipeline_id"]})
    del follows["pipeline_spec"]
    if what == "triggers":
        follows = {**follows, "run": {}}
        del follows["trigger"]
    team = (await world.call("POST", "experiments", {"display_name": "team's", "namespace": "team"}))["experiment_id"]
    await world.call("POST", what, {**follows, "experiment_id": team}, token=WORKLOAD)
    await world.call("POST", versions, {**version, "name": "three"}, token=WORKLOAD)
    await world.call("POST", what, follows)
    status, answer = await world.ask("POST", versions, {**version, "name": "four"}, token=WORKLOAD)
    assert (status, "of default runs the newest version" in answer["message"]) == (403, True)
    await world.call("POST", versions, {**version, "name": "four"})
