"""Notices as clients call them: made, listed, changed, tried, and refused with a sentence."""

from typing import Any

import pytest

from fairway.pipelines.notices.sending import BACK_OFF
from tests.pipelines.notices.conftest import Start, World
from tests.pipelines.notices.receiver import Receiver
from tests.pipelines.world import WORKLOAD

HOOK = {"url": "https://hooks.example.com/fairway"}


async def test_a_notice_says_what_it_is(world: World) -> None:
    made = await world.rule(
        "FAILED", "LATE", "FAILED", webhook={**HOOK, "secretName": "hook"}, only={"pipelineName": "p"}
    )
    assert await world.call("GET", f"notices/{made['notice_id']}") == made
    assert made | {"notice_id": ""} == {
        "notice_id": "",
        "display_name": "tell",
        "namespace": "default",
        "events": ["FAILED", "LATE"],
        "only": {"pipeline_name": "p"},
        "webhook": {**HOOK, "secret_name": "hook", "secret_key": "token"},
        "mode": "ENABLE",
        "status": "ENABLED",
        "created_at": "2023-11-14T22:13:20Z",
        "updated_at": "2023-11-14T22:13:20Z",
        "created_by": "owner",
    }


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"webhook": None}, "exactly one of webhook and email; this one has none"),
        ({"email": {"to": ["a@example.com"]}}, "this one has webhook and email"),
        ({"events": []}, "events must be a list of some of SUCCEEDED, FAILED, CANCELED, LATE, APPROVAL"),
        ({"events": ["STARTED"]}, "events must be a list"),
        ({"events": None}, "events must be a list"),
        ({"display_name": ""}, "display_name is missing"),
        ({"namespace": "nowhere"}, 'no namespace "nowhere"'),
        ({"only": {"colour": "red"}}, 'unknown field "colour" in only'),
        ({"only": {"experiment_id": "none"}}, 'no experiment "none"'),
        ({"only": {"recurring_run_id": "none"}}, 'no recurring run "none"'),
        ({"webhook": {"url": "file:///etc/passwd"}}, "webhook.url must be an address"),
        ({"webhook": {"url": "gopher://example.com"}}, "webhook.url must be an address"),
        ({"webhook": {"url": "https://user:pw@example.com/"}}, "webhook.url must be an address"),
        ({"webhook": {"url": "https://"}}, "webhook.url must be an address"),
        ({"webhook": {"url": "https://example.com:99999/"}}, "webhook.url must be an address"),
        ({"webhook": {"url": "http://example.com/\r\nX: y"}}, "webhook.url must be an address"),
        ({"webhook": {**HOOK, "secret_name": "No Name"}}, "is not a Secret's name"),
        ({"webhook": {**HOOK, "secret_key": "token"}}, "secret_key needs webhook.secret_name"),
        ({"webhook": None, "email": {"to": []}}, "email.to must be a list of 1 to 20"),
        ({"webhook": None, "email": {"to": ["a@b\r\nRCPT TO:<c@d>"]}}, "is not an address"),
        ({"webhook": None, "email": {"to": ["nobody"]}}, "is not an address"),
    ],
)  # fmt: skip
async def test_a_wrong_notice_is_refused_at_once_with_a_sentence(
    start: Start, fields: dict[str, Any], sentence: str
) -> None:
    world = await start(smtp_host="127.0.0.1", smtp_from="fairway@example.com")
    body = {"display_name": "x", "events": ["FAILED"], "webhook": HOOK, **fields}
    status, answer = await world.ask("POST", "notices", body)
    assert (status in (400, 404), sentence in answer["message"]) == (True, True), answer
    assert await world.call("GET", "notices") == {}


async def test_every_field_can_be_changed_but_the_namespace(start: Start) -> None:
    world = await start(smtp_host="127.0.0.1", smtp_from="fairway@example.com")
    made = await world.rule(webhook=HOOK, only={"pipeline_name": "p"})
    one = f"notices/{made['notice_id']}"
    body = {
        "display_name": "new",
        "events": ["LATE"],
        "only": {},
        "mode": "DISABLE",
        "email": {"to": ["a@example.com"]},
    }
    changed = await world.call("PATCH", one, body)
    expected = {**made, "display_name": "new", "events": ["LATE"], "mode": "DISABLE", "status": "DISABLED"}
    for gone in ("webhook", "only"):
        del expected[gone]
    assert changed == {**expected, "email": {"to": ["a@example.com"]}}
    status, answer = await world.ask("PATCH", one, {"namespace": "team"})
    assert (status, "keeps its namespace" in answer["message"]) == (400, True)
    await world.call("DELETE", one)
    assert (await world.ask("GET", one))[0] == 404


async def test_a_test_tells_at_once_how_it_went(world: World, receiver: Receiver) -> None:
    rule = await world.rule(webhook={"url": receiver.url})
    one = f"notices/{rule['notice_id']}"
    good = await world.call("POST", f"{one}:test")
    assert (good["event"], good["state"]) == ("TEST", "DELIVERED")
    assert receiver.bodies[0]["message"] == 'This is a test of the notice "tell".'
    receiver.statuses = [500]
    bad = await world.call("POST", f"{one}:test")
    assert (bad["state"], bad["error"]["message"]) == ("FAILED", "127.0.0.1 answered 500")
    await world.pass_(1e6)
    assert len(receiver.calls) == 2
    statuses = [(await world.ask("POST", f"{one}:test"))[0] for _ in range(6)]
    assert statuses == [200] * 5 + [429]


async def test_what_was_told_is_listed(world: World, receiver: Receiver) -> None:
    receiver.statuses = [500]
    rule = await world.rule(webhook={"url": receiver.url})
    run = await world.run()
    await world.end(run, "FAILED")
    await world.tell()
    (pending,) = (await world.call("GET", f"notices/{rule['notice_id']}/deliveries"))["deliveries"]
    assert (pending["run_id"], pending["event"], pending["state"], pending["attempts"]) == (run, "FAILED", "PENDING", 1)
    assert (pending["next_at"], pending["error"]["message"]) == ("2023-11-14T22:13:30Z", "127.0.0.1 answered 500")
    await world.pass_(BACK_OFF[0])
    query = '{"predicates":[{"operation":"EQUALS","key":"state","stringValue":"DELIVERED"}]}'
    found = await world.call("GET", f"notices/{rule['notice_id']}/deliveries", filter=query)
    assert [each["attempts"] for each in found["deliveries"]] == [2]


async def test_what_waits_when_a_notice_is_disabled_or_deleted_is_not_sent(world: World, receiver: Receiver) -> None:
    receiver.statuses = [500, 500]
    disabled, deleted = [await world.rule(webhook={"url": receiver.url}) for _ in range(2)]
    await world.end(await world.run(), "FAILED")
    await world.tell()
    await world.call("POST", f"notices/{disabled['notice_id']}:disable")
    await world.call("DELETE", f"notices/{deleted['notice_id']}")
    await world.call("POST", f"notices/{disabled['notice_id']}:enable")
    await world.pass_(1e6)
    assert len(receiver.calls) == 2
    (delivery,) = await world.deliveries(disabled)
    assert (delivery["state"], "disabled" in delivery["error_message"]) == ("FAILED", True)


async def test_a_workload_has_the_notices_of_its_own_namespace(world: World) -> None:
    others = await world.rule(webhook=HOOK)
    body = {"display_name": "x", "events": ["FAILED"], "webhook": HOOK}
    own = await world.call("POST", "notices", body, token=WORKLOAD)
    assert own["namespace"] == "team"
    assert [each["notice_id"] for each in (await world.call("GET", "notices", token=WORKLOAD))["notices"]] == [
        own["notice_id"]
    ]
    assert (await world.call("GET", "notices"))["total_size"] == 2
    assert (await world.ask("POST", "notices", {**body, "namespace": "default"}, token=WORKLOAD))[0] == 403
    one = f"notices/{others['notice_id']}"
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", ":test"),
        ("POST", ":enable"),
        ("POST", ":disable"),
        ("GET", "/deliveries"),
    ):
        assert (await world.ask(method, one + path, {}, token=WORKLOAD))[0] == 403, path
        assert (await world.ask(method, one + path, {}, token=""))[0] == 401, path
