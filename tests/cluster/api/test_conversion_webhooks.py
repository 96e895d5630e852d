"""Conversion webhooks: a custom kind whose versions have other fields, made of each other by somebody's program."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CRD, VALIDATING_WEBHOOK_CONFIGURATION, Kind, Object
from tests.cluster.api.webhook_server import WebhookServer, webhook_server
from tests.cluster.api.world import World, take

V1 = Kind("example.dev", "v1", "Machine", "machines")
V2 = Kind("example.dev", "v2", "Machine", "machines")


@pytest.fixture
async def hook(tmp_path: Path) -> AsyncGenerator[WebhookServer, None]:
    async with webhook_server(tmp_path) as server:
        server.on("/convert", convert)
        yield server


async def convert(request: Object) -> Object:
    """v1 says address: HOST:PORT; v2 says host and port."""
    converted = [made(one, request["desiredAPIVersion"]) for one in request["objects"]]
    return {"result": {"status": "Success"}, "convertedObjects": converted}


def made(one: Object, wanted: str) -> Object:
    spec = dict(one["spec"])
    if wanted.endswith("v2"):
        spec["host"], _, port = spec.pop("address").partition(":")
        spec["port"] = int(port)
    else:
        spec["address"] = f"{spec.pop('host')}:{spec.pop('port')}"
    return {**one, "apiVersion": wanted, "spec": spec}


def definition(hook: WebhookServer, path: str = "/convert") -> Object:
    def version(name: str, **properties: Object) -> Object:
        spec = {"type": "object", "required": list(properties), "properties": properties}
        schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "properties": READY}}}
        return {
            "name": name,
            "served": True,
            "storage": name == "v1",
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
        }

    second = version("v2", host={"type": "string"}, port={"type": "integer", "default": 80, "maximum": 9999})
    second["selectableFields"] = [{"jsonPath": ".spec.host"}]
    webhook = {"clientConfig": hook.config(path), "conversionReviewVersions": ["v1"]}
    return {
        "metadata": {"name": "machines.example.dev"},
        "spec": {
            "group": "example.dev",
            "scope": "Namespaced",
            "names": {"plural": "machines", "kind": "Machine"},
            "versions": [version("v1", address={"type": "string"}), second],
            "conversion": {"strategy": "Webhook", "webhook": webhook},
        },
    }


READY = {"ready": {"type": "boolean"}}


def old(name: str, address: str) -> Object:
    return V1.new(name, "default", spec={"address": address})


def new(name: str, host: str, **more: int) -> Object:
    return V2.new(name, "default", spec={"host": host, **more})


async def test_each_version_is_written_and_read_in_its_own_form(client: Client, hook: WebhookServer) -> None:
    await client.create(CRD, definition(hook))
    made_ = await client.create(V2, new("a", "one"))
    assert made_["spec"] == {"host": "one", "port": 80}
    assert await client.get(V2, "a", "default") == made_
    stored = await client.get(V1, "a", "default")
    assert (stored["apiVersion"], stored["spec"]) == ("example.dev/v1", {"address": "one:80"})
    with pytest.raises(errors.Invalid, match=r"spec\.port: Invalid value: 10000"):
        await client.patch(V2, "a", "default", {"spec": {"port": 10000}})
    changed = await client.patch(V2, "a", "default", {"spec": {"port": 81}})
    assert (changed["spec"], changed["metadata"]["generation"]) == ({"host": "one", "port": 81}, 2)
    told = await client.patch_status(V2, "a", "default", {"ready": True})
    assert (told["spec"]["port"], told["status"]) == (81, {"ready": True})
    assert (await client.get(V1, "a", "default"))["status"] == {"ready": True}
    same = await client.update(V2, told)
    assert meta.revision(same) == meta.revision(told)
    await client.delete(V2, "a", "default")
    with pytest.raises(errors.NotFound):
        await client.get(V1, "a", "default")


async def test_a_list_is_one_question_and_selects_in_its_own_words(client: Client, hook: WebhookServer) -> None:
    await client.create(CRD, definition(hook))
    for name, address in (("a", "one:1"), ("b", "two:2"), ("c", "two:3")):
        await client.create(V1, old(name, address))
    hook.asked.clear()
    listed = await client.list(V2, "default")
    assert [(meta.name(one), one["spec"]["port"]) for one in listed.items] == [("a", 1), ("b", 2), ("c", 3)]
    assert [len(request["objects"]) for request in hook.asked] == [3]
    query = {"fieldSelector": "spec.host=two", "limit": "1"}
    page = await client.transport.request("GET", V2.path("default"), query=query)
    assert [meta.name(one) for one in page["items"]] == ["b"]
    page = await client.transport.request(
        "GET", V2.path("default"), query={**query, "continue": page["metadata"]["continue"]}
    )
    assert [meta.name(one) for one in page["items"]] == ["c"]


async def test_a_watch_tells_each_event_converted(client: Client, hook: WebhookServer) -> None:
    await client.create(CRD, definition(hook))
    await client.create(V1, old("a", "one:1"))
    query = {"watch": "true", "fieldSelector": "spec.host=one"}
    events = client.transport.watch(V2.path("default"), query)
    assert [event.object["spec"] for event in await take(events, 1)] == [{"host": "one", "port": 1}]
    await client.create(V1, old("b", "one:2"))
    await client.patch(V1, "a", "default", {"spec": {"address": "two:1"}})
    told = await take(events, 2)
    await events.aclose()
    assert [(event.type, event.object["spec"]["host"]) for event in told] == [("ADDED", "one"), ("DELETED", "one")]


async def test_objects_move_to_a_new_storage_version_when_they_are_written(client: Client, hook: WebhookServer) -> None:
    first = await client.create(CRD, definition(hook))
    before = await client.create(V1, old("a", "one:1"))
    moved = copy.deepcopy(first)
    for version in moved["spec"]["versions"]:
        version["storage"] = version["name"] == "v2"
    await client.update(CRD, moved)
    assert await client.get(V1, "a", "default") == before
    after = await client.update(V1, before)
    assert (meta.revision(after) > meta.revision(before), after["metadata"]["generation"]) == (True, 1)
    hook.asked.clear()
    assert (await client.get(V2, "a", "default"))["spec"] == {"host": "one", "port": 1}
    assert hook.asked == []


async def test_judges_see_the_version_that_they_know(client: Client, hook: WebhookServer) -> None:
    await client.create(CRD, definition(hook))
    judged: list[Object] = []

    async def judge(request: Object) -> Object:
        judged.append(request)
        return {"allowed": True}

    rule = {"operations": ["*"], "apiGroups": ["example.dev"], "apiVersions": ["v2"], "resources": ["machines"]}
    webhook = {
        "name": "hook.example.dev",
        "clientConfig": hook.on("/judge", judge),
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    await client.create(VALIDATING_WEBHOOK_CONFIGURATION, {"metadata": {"name": "v"}, "webhooks": [webhook]})
    await client.create(V1, old("a", "one:1"))
    await client.patch(V2, "a", "default", {"spec": {"port": 2}})
    await client.delete(V1, "a", "default")
    assert [one["kind"]["version"] for one in judged] == ["v2", "v2", "v2"]
    assert judged[0]["object"]["spec"] == {"host": "one", "port": 1}
    assert (judged[1]["oldObject"]["spec"]["port"], judged[1]["object"]["spec"]["port"]) == (1, 2)
    assert judged[2]["oldObject"]["spec"] == {"host": "one", "port": 2}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"result": {"status": "Failed", "message": "I cannot"}}, "failed: I cannot"),
        ({"result": {}}, r"response\.result\.status was '', not 'Success'"),
        ({"convertedObjects": []}, "returned 0 objects, expected 1"),
        ({"convertedObjects": [1]}, "returned invalid converted object at index 0: it is no object"),
        ({"convertedObjects": [{"apiVersion": "example.dev/v3"}]}, "invalid groupVersion"),
        (
            {"convertedObjects": [{"apiVersion": "example.dev/v1", "kind": "Machine", "metadata": {"name": "b"}}]},
            "must have the same name: a != b",
        ),
    ],
)
async def test_bad_conversions_are_refused(client: Client, hook: WebhookServer, change: Object, text: str) -> None:
    async def bad(request: Object) -> Object:
        return {**(await convert(request)), **change}

    hook.on("/bad", bad)
    await client.create(CRD, definition(hook, "/bad"))
    with pytest.raises(errors.InternalError, match=rf"conversion webhook for example\.dev/v2, Kind=Machine.*{text}"):
        await client.create(V2, new("a", "one"))
    assert (await client.list(V1, "default")).items == []


async def test_what_a_webhook_says_beyond_the_schema_is_dropped(client: Client, hook: WebhookServer) -> None:
    async def talkative(request: Object) -> Object:
        answer = await convert(request)
        for one in answer["convertedObjects"]:
            one["spec"]["mood"] = "good"
        return answer

    hook.on("/talkative", talkative)
    await client.create(CRD, definition(hook, "/talkative"))
    await client.create(V2, new("a", "one"))
    assert (await client.get(V1, "a", "default"))["spec"] == {"address": "one:80"}
    assert (await client.get(V2, "a", "default"))["spec"] == {"host": "one", "port": 80}


async def test_what_is_stored_has_the_defaults_of_today_before_it_is_converted(
    client: Client, hook: WebhookServer
) -> None:
    first = await client.create(CRD, definition(hook))
    await client.create(V1, old("a", "one:1"))
    now = copy.deepcopy(first)
    zone = {"type": "string", "default": "north"}
    for version in now["spec"]["versions"]:
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["zone"] = zone
    await client.update(CRD, now)
    assert (await client.get(V1, "a", "default"))["spec"] == {"address": "one:1", "zone": "north"}
    hook.asked.clear()
    assert (await client.get(V2, "a", "default"))["spec"] == {"host": "one", "port": 1, "zone": "north"}
    assert hook.asked[0]["objects"][0]["spec"] == {"address": "one:1", "zone": "north"}


async def test_a_definition_goes_though_nobody_converts_any_more(
    world: World, client: Client, hook: WebhookServer, unused_tcp_port: int
) -> None:
    given = definition(hook)
    given["spec"]["versions"].reverse()
    await client.create(CRD, given)
    await client.create(V1, old("a", "one:1"))
    gone = {**hook.config("/convert"), "url": f"https://127.0.0.1:{unused_tcp_port}/"}
    webhook = {"clientConfig": gone, "conversionReviewVersions": ["v1"]}
    await client.patch(CRD, "machines.example.dev", None, {"spec": {"conversion": {"webhook": webhook}}})
    code, _, body = await world.raw("GET", V2.path("default"))
    assert (code, "connect: connection refused" in orjson.loads(body)["message"]) == (500, True)
    await client.delete(CRD, "machines.example.dev")
    with pytest.raises(errors.NotFound):
        await client.get(CRD, "machines.example.dev", None)


@pytest.mark.parametrize(
    ("conversion", "text"),
    [
        ({"strategy": "Magic"}, 'Unsupported value: "Magic": supported values: "None", "Webhook"'),
        ({"strategy": "Webhook"}, "required when strategy is set to Webhook"),
        ({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}, "should not be set when strategy"),
    ],
)
async def test_mistakes_in_conversions_are_named(
    client: Client, hook: WebhookServer, conversion: Object, text: str
) -> None:
    given = definition(hook)
    given["spec"]["conversion"] = conversion
    with pytest.raises(errors.Invalid, match=text):
        await client.create(CRD, given)
