"""Triggers as clients call them: made, listed, changed, switched, and refused with a sentence."""

from typing import Any

import pytest

from tests.pipelines.triggers.conftest import WORKLOAD, World, pipeline


async def test_a_trigger_says_what_it_is(world: World) -> None:
    made = await world.trigger(
        run={"pipelineName": "upstream"},
        description="after the nightly run",
        max_concurrency="3",
        service_account="robot",
    )
    again = await world.call("GET", f"triggers/{made['trigger_id']}")
    assert again == made
    assert again | {"trigger_id": "", "experiment_id": "", "pipeline_spec": {}} == {
        "trigger_id": "",
        "experiment_id": "",
        "pipeline_spec": {},
        "display_name": "then",
        "description": "after the nightly run",
        "namespace": "default",
        "max_concurrency": "3",
        "mode": "ENABLE",
        "status": "ENABLED",
        "created_at": "2023-11-14T22:13:20Z",
        "updated_at": "2023-11-14T22:13:20Z",
        "created_by": "owner",
        "service_account": "robot",
        "runtime_config": {"parameters": {"text": "hi"}},
        "run": {"pipeline_name": "upstream", "states": ["SUCCEEDED"]},
    }
    assert made["pipeline_spec"] == pipeline("downstream")
    hook = await world.trigger(webhook={}, mode="DISABLE")
    assert (hook["webhook"], hook["status"]) == ({}, "DISABLED")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "exactly one of run, artifact and webhook; this one has none"),
        ({"run": {}, "webhook": {}}, "this one has run and webhook"),
        ({"run": {"colour": 1}}, 'unknown field "colour" in run'),
        ({"run": {"states": ["RUNNING"]}}, "run.states must be a list of some of SUCCEEDED, FAILED, CANCELED"),
        ({"run": {"states": []}}, "run.states must be"),
        ({"run": {"experiment_id": "none"}}, 'no experiment "none"'),
        ({"run": {"recurring_run_id": "none"}}, 'no recurring run "none"'),
        ({"artifact": {}}, "artifact needs name, type or pipeline_name"),
        ({"artifact": {"name": "x", "uri": "file:///x"}}, "artifact needs name, type or pipeline_name"),
        ({"artifact": {"uri": "file:///x", "every_seconds": 1}}, "from 5 to 86400, not 1"),
        ({"artifact": {"name": "x", "every_seconds": 60}}, "every_seconds is for a uri"),
        ({"webhook": {"parameters": "text"}}, "webhook.parameters must be a list"),
        ({"webhook": {"parameters": ["colour"]}}, "no parameter colour"),
        ({"webhook": {}, "max_concurrency": 0}, "max_concurrency must be"),
        ({"webhook": {}, "max_concurrency": "many"}, "max_concurrency must be"),
        ({"webhook": {}, "mode": "ON"}, "mode must be ENABLE or DISABLE"),
        ({"webhook": {}, "display_name": " "}, "display_name is missing"),
        ({"webhook": {}, "trigger": {"cron_schedule": {}}}, 'unknown field "trigger"'),
        ({"run": {}, "runtime_config": {}}, "needs a value for text"),
        (
            {"run": {}, "runtime_config": {"parameters": {"text": "[[trigger.artifact_id]]"}}},
            "[[trigger.artifact_id]] has no value",
        ),
        (
            {"webhook": {}, "runtime_config": {"parameters": {"text": "[[trigger.run_id]]"}}},
            "there is [[trigger.time]]",
        ),
        ({"webhook": {}, "pipeline_spec": None}, "needs a pipeline_spec"),
    ],
)
async def test_a_wrong_trigger_is_refused_at_once_with_a_sentence(
    world: World, fields: dict[str, Any], sentence: str
) -> None:
    given = {"pipeline_spec": pipeline("downstream"), "runtime_config": {"parameters": {"text": "hi"}}, **fields}
    status, answer = await world.ask("POST", "triggers", {"display_name": "then", **given})
    assert status in (400, 404), answer
    assert sentence in answer["message"]
    assert await world.call("GET", "triggers") == {}


async def test_lists_have_pages_an_order_and_filters(world: World) -> None:
    mine = (await world.call("POST", "experiments", {"display_name": "e", "namespace": "team"}))["experiment_id"]
    for name in ("a", "b", "c"):
        await world.trigger(display_name=name, webhook={})
    await world.trigger(display_name="d", run={}, experiment_id=mine)

    async def names(**query: str) -> list[str]:
        found = await world.call("GET", "triggers", **query)
        return [each["display_name"] for each in found.get("triggers", ())]

    first = await world.call("GET", "triggers", page_size="3", sort_by="display_name desc")
    assert [each["display_name"] for each in first["triggers"]] == ["d", "c", "b"]
    assert first["total_size"] == 4
    assert await names(page_token=first["next_page_token"]) == ["a"]
    assert await names(experiment_id=mine) == await names(namespace="team") == ["d"]
    assert await names(filter='{"predicates":[{"operation":"EQUALS","key":"kind","stringValue":"RUN"}]}') == ["d"]


async def test_every_field_can_be_changed_but_the_kind(world: World) -> None:
    trigger = await world.trigger(run={})
    one = f"triggers/{trigger['trigger_id']}"
    await world.clock.advance(10)
    changed = await world.call(
        "PATCH",
        one,
        {
            "display_name": "new",
            "description": "more",
            "max_concurrency": 4,
            "mode": "DISABLE",
            "run": {"states": ["FAILED"]},
            "runtime_config": {"parameters": {"text": "[[trigger.run_id]]", "times": 2}},
        },
    )
    assert changed == {
        **trigger,
        "display_name": "new",
        "description": "more",
        "max_concurrency": "4",
        "mode": "DISABLE",
        "status": "DISABLED",
        "run": {"states": ["FAILED"]},
        "runtime_config": {"parameters": {"text": "[[trigger.run_id]]", "times": 2}},
        "updated_at": "2023-11-14T22:13:30Z",
    }
    for body, sentence in (
        ({"webhook": {}}, "keeps its kind"),
        ({"pipeline_spec": pipeline("Not A Name")}, "pipelineInfo.name"),
        ({"runtime_config": {"parameters": {"nothing": 1}}}, "no parameter nothing"),
        ({"run": {"experiment_id": "none"}}, "no experiment"),
    ):
        status, answer = await world.ask("PATCH", one, body)
        assert (status in (400, 404), sentence in answer["message"]) == (True, True), answer
    assert await world.call("GET", one) == changed


async def test_a_package_gives_way_to_a_pipeline_and_its_newest_version(world: World) -> None:
    id_ = (await world.call("POST", "pipelines", {"display_name": "p"}))["pipeline_id"]
    for name in ("one", "two"):
        version = {"display_name": name, "pipeline_spec": pipeline(name)}
        await world.call("POST", f"pipelines/{id_}/versions", version)
        await world.clock.advance(1)
    trigger = await world.trigger(webhook={})
    changed = await world.call(
        "PATCH", f"triggers/{trigger['trigger_id']}", {"pipeline_version_reference": {"pipeline_id": id_}}
    )
    assert "pipeline_spec" not in changed
    assert changed["pipeline_version_reference"] == {"pipeline_id": id_}
    await world.call("POST", f"triggers/{trigger['trigger_id']}:fire")
    (run,) = await world.started(trigger)
    assert run["pipeline_name"] == "two"


async def test_deleting_a_trigger_leaves_its_runs(world: World) -> None:
    trigger = await world.trigger(webhook={})
    for _ in range(2):
        await world.call("POST", f"triggers/{trigger['trigger_id']}:fire")
    await world.call("DELETE", f"triggers/{trigger['trigger_id']}")
    status, answer = await world.ask("GET", f"triggers/{trigger['trigger_id']}")
    assert (status, answer["code"]) == (404, 5)
    await world.look()
    assert len((await world.call("GET", "runs"))["runs"]) == 1


async def test_a_workload_has_the_triggers_of_its_own_namespace(world: World) -> None:
    mine = (await world.call("POST", "experiments", {"display_name": "e", "namespace": "team"}))["experiment_id"]
    own = await world.trigger(run={}, experiment_id=mine)
    others = await world.trigger(webhook={})
    for method, path, body in (
        ("PATCH", "", {"display_name": "mine now"}),
        ("DELETE", "", None),
        ("POST", ":enable", None),
        ("POST", ":disable", None),
        ("POST", ":rotate", None),
    ):
        status, answer = await world.ask(method, f"triggers/{others['trigger_id']}{path}", body, token=WORKLOAD)
        assert (status, "namespace team only" in answer["message"]) == (403, True), path
    assert (await world.call("GET", "triggers", token=WORKLOAD))["total_size"] == 2
    await world.call("POST", f"triggers/{own['trigger_id']}:disable", token=WORKLOAD)
    body = {
        "display_name": "x",
        "run": {},
        "pipeline_spec": pipeline("p"),
        "runtime_config": {"parameters": {"text": "x"}},
    }
    assert (await world.ask("POST", "triggers", body, token=WORKLOAD))[0] == 403
    await world.call("POST", "triggers", {**body, "experiment_id": mine}, token=WORKLOAD)
    moved = await world.ask(
        "PATCH", f"triggers/{own['trigger_id']}", {"experiment_id": others["experiment_id"]}, token=WORKLOAD
    )
    assert moved[0] == 403


async def test_strangers_see_no_triggers(world: World) -> None:
    trigger = await world.trigger(webhook={})
    one = f"triggers/{trigger['trigger_id']}"
    for method, path in (("GET", "triggers"), ("POST", "triggers"), ("GET", one), ("PATCH", one), ("DELETE", one),
                         ("POST", f"{one}:enable"), ("POST", f"{one}:rotate"), ("GET", f"{one}/events")):  # fmt: skip
        for token in ("", trigger["token"]):
            assert (await world.ask(method, path, {}, token=token))[0] == 401, path
