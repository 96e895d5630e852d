"""Custom resources: served at once, pruned, defaulted, checked, counted; definitions refused by name."""

from __future__ import annotations

import copy
from contextlib import aclosing
from typing import Any

import orjson
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import conditions, errors
from fairway.kernel.objects.kinds import CRD, Kind, Object
from tests.cluster.api.world import WIDGET, World, define, take


def widget(name: str = "w", **spec: Any) -> Object:
    return WIDGET.kind.new(name, "default", spec={"size": 1, **spec})


async def test_a_definition_is_served_in_the_same_breath(client: Client) -> None:
    made = await define(client)
    assert conditions.is_true(made, "Established")
    assert made["status"]["acceptedNames"]["listKind"] == "WidgetList"
    await client.create(WIDGET.kind, widget())
    group = await client.transport.request("GET", "/apis/example.dev/v1")
    names = {entry["name"]: entry for entry in group["resources"]}
    assert set(names) == {"widgets", "widgets/status"}
    assert names["widgets"]["shortNames"] == ["wd"]


async def test_unknown_fields_go_and_defaults_come(client: Client) -> None:
    await define(client)
    given = widget(junk=1, extra={"any": {"thing": 1}}, parts=[{"name": "a", "junk": 2}], colour=None)
    made = await client.create(WIDGET.kind, given)
    assert made["spec"] == {
        "size": 1,
        "colour": "red",
        "extra": {"any": {"thing": 1}},
        "parts": [{"name": "a", "count": 1}],
    }


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"size": 0}, r"spec\.size: Invalid value: 0: spec\.size in body should be greater than or equal to 1"),
        ({"size": "big"}, r'spec\.size: Invalid value: "string": spec\.size in body must be of type integer: "string"'),
        ({"size": None}, r"spec\.size: Required value"),
        ({"colour": "blue"}, r'spec\.colour: Unsupported value: "blue": supported values: "red", "green"'),
        ({"parts": [{}]}, r"spec\.parts\[0\]\.name: Required value"),
    ],
)
async def test_mistakes_are_named_in_upstreams_words(client: Client, spec: Object, text: str) -> None:
    await define(client)
    with pytest.raises(errors.Invalid, match=r'Widget.example.dev "w" is invalid: ' + text) as caught:
        await client.create(WIDGET.kind, widget(**spec))
    assert caught.value.details["causes"][0]["field"].startswith("spec.")


async def test_strict_clients_hear_of_unknown_and_duplicate_fields(world: World, client: Client) -> None:
    await define(client)
    body = (
        b'{"apiVersion":"example.dev/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"size":1,"size":2,"junk":3}}'
    )
    path = WIDGET.kind.path("default")
    code, _, answer = await world.raw("POST", f"{path}?fieldValidation=Strict", data=body)
    message = orjson.loads(answer)["message"]
    assert code == 400
    assert 'strict decoding error: duplicate field "spec.size", unknown field "spec.junk"' in message
    code, headers, _ = await world.raw("POST", f"{path}?fieldValidation=Warn", data=body)
    assert (code, headers["Warning"]) == (201, '299 - "unknown field \\"spec.junk\\""')


async def test_generation_and_status_follow_the_subresource(client: Client) -> None:
    await define(client)
    await client.create(WIDGET.kind, widget() | {"status": {"phase": "Early"}})
    told = await client.patch_status(WIDGET.kind, "w", "default", {"phase": "Ready", "junk": 1})
    assert (told["status"], told["metadata"]["generation"]) == ({"phase": "Ready"}, 1)
    grown = await client.patch(WIDGET.kind, "w", "default", {"spec": {"size": 2}, "status": {"phase": "No"}})
    assert (grown["status"], grown["metadata"]["generation"]) == ({"phase": "Ready"}, 2)
    with pytest.raises(errors.Invalid, match=r"status\.phase in body must be of type string"):
        await client.patch_status(WIDGET.kind, "w", "default", {"phase": 3})
    with pytest.raises(errors.Invalid, match="must be specified for an update"):
        await client.update(WIDGET.kind, widget())


async def test_a_status_without_a_subresource_is_a_field_like_the_others(client: Client) -> None:
    definition = WIDGET.definition()
    del definition["spec"]["versions"][0]["subresources"]
    await client.create(CRD, definition)
    made = await client.create(WIDGET.kind, widget() | {"status": {"phase": "Early"}})
    assert made["status"] == {"phase": "Early"}
    told = await client.patch(WIDGET.kind, "w", "default", {"status": {"phase": "Ready", "junk": 1}})
    assert (told["status"], told["metadata"]["generation"]) == ({"phase": "Ready"}, 2)
    with pytest.raises(errors.Invalid, match=r"status\.phase in body must be of type string"):
        await client.patch(WIDGET.kind, "w", "default", {"status": {"phase": 3}})


async def test_a_new_schema_holds_for_the_next_write(client: Client) -> None:
    made = await define(client)
    await client.create(WIDGET.kind, widget())
    new = copy.deepcopy(made)
    properties = new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["weight"] = {"type": "integer"}
    await client.update(CRD, new)
    assert (await client.patch(WIDGET.kind, "w", "default", {"spec": {"weight": 4}}))["spec"]["weight"] == 4


async def test_versions_of_a_kind_differ_in_their_name_only(client: Client) -> None:
    definition = WIDGET.definition()
    beta = {**copy.deepcopy(definition["spec"]["versions"][0]), "name": "v1beta1", "storage": False}
    definition["spec"]["versions"].append(beta)
    await client.create(CRD, definition)
    old = Kind("example.dev", "v1beta1", "Widget", "widgets")
    await client.create(old, old.new("w", "default", spec={"size": 3}))
    assert (await client.get(WIDGET.kind, "w", "default"))["apiVersion"] == "example.dev/v1"
    assert (await client.list(old, "default")).items[0]["apiVersion"] == "example.dev/v1beta1"
    groups = (await client.transport.request("GET", "/apis"))["groups"]
    found = next(group for group in groups if group["name"] == "example.dev")
    assert found["preferredVersion"]["version"] == "v1"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (
            {"type": "object", "properties": {"spec": {}}},
            r"properties\[spec\]\.type: Required value: must not be empty",
        ),
        ({"type": "object", "properties": {"spec": {"$ref": "x"}}}, r"\$ref is not supported"),
        ({"type": "string"}, r'must be "object" at the root'),
        (
            {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": False}}},
            "additionalProperties cannot be set to false",
        ),
    ],
)
async def test_schemas_that_are_not_structural_are_refused(client: Client, schema: Object, text: str) -> None:
    definition = WIDGET.definition()
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    with pytest.raises(errors.Invalid, match=text):
        await client.create(CRD, definition)


async def test_formats_that_nobody_checks_are_warned_of(world: World) -> None:
    definition = WIDGET.definition()
    document = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    document["properties"]["spec"]["properties"]["size"]["format"] = "int128"
    code, headers, _ = await world.raw("POST", CRD.path(), data=orjson.dumps(definition))
    assert (code, headers["Warning"]) == (201, '299 - "unrecognized format \\"int128\\""')


async def test_what_a_schema_has_come_to_fill_in_is_there_when_old_objects_are_read(client: Client) -> None:
    made = await define(client)
    stored = await client.create(WIDGET.kind, widget(parts=[{"name": "a"}]))
    await client.create(WIDGET.kind, widget("other"))
    new = copy.deepcopy(made)
    properties = new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["weight"] = {"type": "integer", "default": 4}
    deep = {"type": "object", "default": {"a": 1}, "properties": {"a": {"type": "integer"}}}
    properties["parts"]["items"]["properties"]["deep"] = deep
    await client.update(CRD, new)
    read = await client.get(WIDGET.kind, "w", "default")
    assert (read["spec"]["weight"], read["spec"]["parts"]) == (4, [{"name": "a", "count": 1, "deep": {"a": 1}}])
    assert read["metadata"] == stored["metadata"]
    listed = await client.list(WIDGET.kind, "default")
    assert [item["spec"]["weight"] for item in listed.items] == [4, 4]
    async with aclosing(client.watch(WIDGET.kind, "default")) as events:
        assert [event.object["spec"]["weight"] for event in await take(events, 2)] == [4, 4]
    changed = await client.patch(WIDGET.kind, "w", "default", {"spec": {"size": 3}})
    assert changed["spec"]["weight"] == 4
