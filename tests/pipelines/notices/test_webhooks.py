"""Webhooks: signed with a secret that is kept nowhere, tried until they arrive, and led to no place they may not go."""

import asyncio
import base64
import hashlib
import hmac
import logging
import re
from typing import Any

import pytest
from sqlalchemy import Connection

from fairway.kernel.objects.kinds import SECRET
from fairway.pipelines.notices import sending, webhooks
from fairway.pipelines.notices.sending import BACK_OFF, CLAIM_SECONDS
from fairway.pipelines.notices.tables import deliveries, notice_rules
from tests.pipelines.notices.conftest import Start, World
from tests.pipelines.notices.receiver import Receiver
from tests.pipelines.world import OWNER, WORKLOAD


async def secret(world: World, namespace: str = "default", value: bytes = b"opensesame") -> None:
    data = {"token": base64.b64encode(value).decode()}
    await world.context.client.create(SECRET, SECRET.new("hook", namespace, data=data))


async def failed(world: World, **fields: Any) -> str:
    run = await world.run(**fields)
    await world.end(run, "FAILED", message="no data")
    return run


async def test_the_body_is_signed_with_the_secret_that_the_rule_names(world: World, receiver: Receiver) -> None:
    await secret(world)
    await world.rule(webhook={"url": receiver.url, "secret_name": "hook"})
    await failed(world)
    await world.tell()
    ((headers, body),) = receiver.calls
    assert headers["X-Fairway-Signature"] == f"sha256={hmac.new(b'opensesame', body, hashlib.sha256).hexdigest()}"


async def test_a_secret_is_nowhere_but_in_its_secret(
    world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the receiver's, who may know the address
    await secret(world)
    receiver.statuses = [500]
    rule = await world.rule(webhook={"url": receiver.url, "secret_name": "hook"})
    await failed(world)
    await world.tell()
    await world.pass_(BACK_OFF[0])

    def all_of_it(connection: Connection) -> str:
        return str([connection.execute(table.select()).all() for table in (notice_rules, deliveries)])

    kept = await world.context.records.read(all_of_it)
    shown = str(await world.call("GET", f"notices/{rule['notice_id']}/deliveries")) + str(rule)
    for text in (kept, shown, caplog.text):
        assert "opensesame" not in text
    assert "do-not-tell" not in str((await world.deliveries(rule))[0]["error_message"]) + caplog.text


async def test_a_secret_that_is_missing_is_waited_for(world: World, receiver: Receiver) -> None:
    rule = await world.rule(webhook={"url": receiver.url, "secret_name": "hook"})
    await failed(world)
    await world.tell()
    (delivery,) = await world.deliveries(rule)
    assert delivery["error_message"] == "there is no Secret hook with the key token in the namespace default"
    assert (delivery["state"], receiver.calls) == ("PENDING", [])
    await secret(world)
    await world.pass_(BACK_OFF[0])
    assert len(receiver.calls) == 1


async def test_a_rule_reads_the_secrets_of_its_own_namespace_only(world: World, receiver: Receiver) -> None:
    await secret(world, "default")
    rule = await world.rule(webhook={"url": receiver.url, "secret_name": "hook"}, namespace="team")
    mine = (await world.call("POST", "experiments", {"display_name": "e", "namespace": "team"}))["experiment_id"]
    await failed(world, experiment_id=mine)
    await world.tell()
    (delivery,) = await world.deliveries(rule)
    assert "in the namespace team" in delivery["error_message"]
    assert receiver.calls == []


async def test_what_does_not_arrive_is_tried_again_with_longer_and_longer_pauses(
    world: World, receiver: Receiver
) -> None:
    receiver.statuses = [500, 404, 503]
    rule = await world.rule(webhook={"url": receiver.url})
    await failed(world)
    await world.tell()
    for pause, status in zip(BACK_OFF, (500, 404, 503), strict=False):
        (delivery,) = await world.deliveries(rule)
        assert (delivery["state"], delivery["error_message"]) == ("PENDING", f"127.0.0.1 answered {status}")
        tries = len(receiver.calls)
        await world.pass_(pause - 1)
        assert len(receiver.calls) == tries
        await world.pass_(1)
        assert len(receiver.calls) == tries + 1
    (delivery,) = await world.deliveries(rule)
    assert (delivery["state"], delivery["attempts"], delivery["error_message"]) == ("DELIVERED", 4, "")
    assert len({body for _, body in receiver.calls}) == 1  # to the last byte, and so its signature


async def test_it_is_given_up_in_the_end_and_says_why(world: World, receiver: Receiver) -> None:
    receiver.statuses = [500] * 100
    rule = await world.rule(webhook={"url": receiver.url})
    await failed(world)
    await world.tell()
    for pause in (*BACK_OFF, 1e6):
        await world.pass_(pause)
    assert len(receiver.calls) == len(BACK_OFF) + 1
    shown = (await world.call("GET", f"notices/{rule['notice_id']}/deliveries"))["deliveries"][0]
    assert (shown["state"], shown["error"]["message"]) == ("FAILED", "given up after 8 tries: 127.0.0.1 answered 500")


async def test_nobody_there_and_no_answer(world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.8)
    receiver.held.clear()
    silent = await world.rule(webhook={"url": receiver.url})
    nobody = await world.rule(webhook={"url": "http://127.0.0.1:9/"})
    await failed(world)
    await world.tell()
    assert (await world.deliveries(silent))[0]["error_message"] == "127.0.0.1 did not answer within 0.8 s"
    assert (await world.deliveries(nobody))[0]["error_message"].startswith("127.0.0.1 cannot be reached: Connect")


async def test_redirects_are_not_followed(world: World, receiver: Receiver) -> None:
    receiver.statuses = [302]
    rule = await world.rule(webhook={"url": receiver.url})
    await failed(world)
    await world.tell()
    assert len(receiver.calls) == 1
    assert "redirects are not followed" in (await world.deliveries(rule))[0]["error_message"]


async def test_a_server_that_was_killed_while_it_sent_sends_again_once_its_claim_has_run_out(
    world: World, receiver: Receiver
) -> None:
    await world.rule(webhook={"url": receiver.url})
    await failed(world)
    await world.loop.look()
    receiver.held.clear()
    now = world.clock.now()
    (due,) = await world.context.records.read(lambda connection: sending.due(connection, now))
    sent = asyncio.ensure_future(world.loop.deliver(due))
    while not receiver.calls:
        await asyncio.sleep(0.01)
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    receiver.held.set()
    await world.pass_(CLAIM_SECONDS - 1)
    assert len(receiver.calls) == 1
    await world.pass_(1)
    assert len(receiver.calls) == 2
    assert receiver.bodies[0] == receiver.bodies[1]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
async def test_a_rule_of_a_workload_leads_to_no_private_address(world: World, receiver: Receiver, host: str) -> None:
    """By number, by name, or by what only the resolver takes for a number."""
    url = f"http://{host}:{receiver.port}/"
    rule = await world.call(
        "POST", "notices", {"display_name": "x", "events": ["FAILED"], "webhook": {"url": url}}, token=WORKLOAD
    )
    tried = await world.call("POST", f"notices/{rule['notice_id']}:test", token=WORKLOAD)
    assert (tried["state"], receiver.calls) == ("FAILED", [])
    assert re.search("no public address|not one that can be called", tried["error"]["message"])


async def test_private_addresses_are_the_owners_to_allow(start: Start, receiver: Receiver) -> None:
    world = await start()
    body = {"display_name": "x", "events": ["FAILED"], "webhook": {"url": receiver.url}}
    rule = await world.call("POST", "notices", body, token=WORKLOAD)
    one = f"notices/{rule['notice_id']}"
    refused = await world.call("POST", f"{one}:test", token=WORKLOAD)
    assert "notices of a workload go nowhere else" in refused["error"]["message"]
    await world.call("PATCH", one, {"webhook": {"url": receiver.url}}, token=OWNER)
    assert (await world.call("POST", f"{one}:test", token=WORKLOAD))["state"] == "DELIVERED"
    await world.call("PATCH", one, {"webhook": {"url": receiver.url}}, token=WORKLOAD)
    assert (await world.call("POST", f"{one}:test", token=WORKLOAD))["state"] == "FAILED"
    world = await start(notices_to_private_addresses=True)
    assert (await world.call("POST", f"{one}:test", token=WORKLOAD))["state"] == "DELIVERED"


async def test_a_receiver_that_hangs_holds_up_nobody_else(world: World, receiver: Receiver) -> None:
    await world.rule(webhook={"url": receiver.url})
    quick = await world.rule(webhook={"url": receiver.url.replace("/hook", "/quick")})
    receiver.held.clear()
    await failed(world)
    running = asyncio.ensure_future(world.loop.run(lambda: None))
    try:
        async with asyncio.timeout(60):
            while len(receiver.calls) < 2:
                await asyncio.sleep(0.01)
            receiver.held.set()
            while (await world.deliveries(quick))[0]["state"] != "DELIVERED":
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
