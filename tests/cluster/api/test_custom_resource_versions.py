"""Several versions of one custom kind: what is stored, what each version shows, names that two kinds want."""

from __future__ import annotations

import copy

import orjson
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import CRD, Kind, Object
from tests.cluster.api.world import WIDGET, World, define, take

V2 = Kind("example.dev", "v2", "Widget", "widgets")


def two_versions(storage: str = "v1") -> Object:
    definition = WIDGET.definition()
    second = {**copy.deepcopy(definition["spec"]["versions"][0]), "name": "v2"}
    definition["spec"]["versions"].append(second)
    for version in definition["spec"]["versions"]:
        version["storage"] = version["name"] == storage
    return definition


async def move_storage(client: Client, to: str) -> Object:
    definition = copy.deepcopy(await client.get(CRD, "widgets.example.dev"))
    for version in definition["spec"]["versions"]:
        version["storage"] = version["name"] == to
    return await client.update(CRD, definition)


async def test_each_version_shows_what_any_version_stored(client: Client) -> None:
    await client.create(CRD, two_versions())
    first = await client.create(WIDGET.kind, WIDGET.kind.new("one", "default", spec={"size": 1}))
    moved = await move_storage(client, "v2")
    assert moved["status"]["storedVersions"] == ["v1", "v2"]
    await client.create(WIDGET.kind, WIDGET.kind.new("two", "default", spec={"size": 2}))
    for kind in (WIDGET.kind, V2):
        shown = await client.list(kind, "default")
        assert [(meta.name(one), one["apiVersion"]) for one in shown.items] == [
            ("one", kind.api_version),
            ("two", kind.api_version),
        ]
        assert (await client.get(kind, "one", "default"))["apiVersion"] == kind.api_version
    # Written again, the first is stored in the new version: another revision, and nothing that it wants has changed.
    again = await client.update(V2, await client.get(V2, "one", "default"))
    assert meta.revision(again) > meta.revision(first)
    assert again["metadata"]["generation"] == 1
    assert meta.revision(await client.update(V2, again)) == meta.revision(again)


async def test_a_watch_ends_when_the_storage_version_moves(client: Client) -> None:
    await client.create(CRD, two_versions())
    made = await client.create(WIDGET.kind, WIDGET.kind.new("one", "default", spec={"size": 1}))
    events = client.watch(V2, "default")
    assert [event.object["apiVersion"] for event in await take(events, 1)] == ["example.dev/v2"]
    await move_storage(client, "v2")
    await client.patch(WIDGET.kind, "one", "default", {"spec": {"size": 2}})
    assert [event async for event in events] == []
    later = client.watch(WIDGET.kind, "default", since=made["metadata"]["resourceVersion"])
    told = await take(later, 1)
    assert (told[0].type, told[0].object["apiVersion"]) == ("MODIFIED", "example.dev/v1")
    await later.aclose()


async def test_a_version_that_was_stored_stays_until_nothing_is_stored_in_it(client: Client) -> None:
    await client.create(CRD, two_versions())
    moved = copy.deepcopy(await move_storage(client, "v2"))
    without = {**moved, "spec": {**moved["spec"], "versions": [moved["spec"]["versions"][1]]}}
    with pytest.raises(errors.Invalid, match=r"v1 was previously a storage version, and must remain in spec\.versions"):
        await client.update(CRD, without)
    forgotten = await client.patch_status(CRD, "widgets.example.dev", None, {"storedVersions": ["v2"]})
    without["metadata"] = forgotten["metadata"]
    assert (await client.update(CRD, without))["status"]["storedVersions"] == ["v2"]
    with pytest.raises(errors.NotFound):
        await client.list(WIDGET.kind, "default")


async def test_users_of_a_deprecated_version_are_warned(world: World, client: Client) -> None:
    definition = two_versions()
    definition["spec"]["versions"][0]["deprecated"] = True
    definition["spec"]["versions"][1] |= {"deprecated": True, "deprecationWarning": "use widgets of example.org"}
    await client.create(CRD, definition)
    _, headers, _ = await world.raw("GET", WIDGET.kind.path("default"))
    assert headers["Warning"] == '299 - "example.dev/v1 Widget is deprecated"'
    _, headers, _ = await world.raw("GET", V2.path("default") + "?watch=true&timeoutSeconds=1")
    assert headers["Warning"] == '299 - "use widgets of example.org"'


async def test_a_name_that_is_taken_waits_until_it_is_free(client: Client) -> None:
    await define(client)
    other = WIDGET.definition()
    other["metadata"]["name"] = "gadgets.example.dev"
    other["spec"]["names"] |= {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    made = await client.create(CRD, other)
    refused = conditions.find(made, "NamesAccepted") or {}
    assert (refused["status"], refused["reason"]) == ("False", "ShortNamesConflict")
    assert refused["message"] == '"wd" is already in use'
    assert (conditions.find(made, "Established") or {})["message"] == "not all names are accepted"
    gadget = Kind("example.dev", "v1", "Gadget", "gadgets")
    with pytest.raises(errors.NotFound):
        await client.list(gadget, "default")
    await client.delete(CRD, "widgets.example.dev")
    accepted = await client.get(CRD, "gadgets.example.dev")
    assert conditions.is_true(accepted, "Established")
    assert accepted["status"]["acceptedNames"]["shortNames"] == ["wd"]
    assert (await client.list(gadget, "default")).items == []


async def test_fields_of_a_definition_select(world: World, client: Client) -> None:
    definition = WIDGET.definition()
    definition["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".spec.colour"}, {"jsonPath": ".spec.size"}]
    await client.create(CRD, definition)
    for name, colour, size in (("a", "red", 1), ("b", "green", 2), ("c", "green", 3)):
        await client.create(WIDGET.kind, WIDGET.kind.new(name, "default", spec={"colour": colour, "size": size}))
    path = WIDGET.kind.path("default")
    _, _, body = await world.raw("GET", f"{path}?fieldSelector=spec.colour%3Dgreen,spec.size!%3D3")
    assert [meta.name(item) for item in orjson.loads(body)["items"]] == ["b"]
    with pytest.raises(errors.BadRequest, match=r"field label not supported: spec\.extra"):
        await client.transport.request("GET", path, query={"fieldSelector": "spec.extra=1"})
    events = client.transport.watch(path, {"watch": "true", "fieldSelector": "spec.colour=green"})
    assert [meta.name(event.object) for event in await take(events, 2)] == ["b", "c"]
    await client.patch(WIDGET.kind, "b", "default", {"spec": {"colour": "red"}})
    gone = (await take(events, 1))[0]
    assert (gone.type, gone.object["spec"]["colour"]) == ("DELETED", "green")
    await events.aclose()
    _, _, body = await world.raw("GET", "/openapi/v3/apis/example.dev/v1")
    schema = orjson.loads(body)["components"]["schemas"]["dev.example.v1.Widget"]
    assert schema["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.colour"}, {"fieldPath": "spec.size"}]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"selectableFields": [{"jsonPath": ".metadata.labels"}]}, "must not point to fields in metadata"),
        (
            {"selectableFields": [{"jsonPath": ".spec.extra"}]},
            "must point to a field of type string, boolean or integer",
        ),
        ({"selectableFields": [{"jsonPath": ".spec.parts[0]"}]}, "is an invalid path"),
        ({"deprecationWarning": "old"}, "can only be set for deprecated versions"),
        ({"name": "V1"}, "a DNS-1035 label must consist of"),
    ],
)
async def test_mistakes_in_versions_are_named(client: Client, change: Object, text: str) -> None:
    definition = WIDGET.definition()
    definition["spec"]["versions"][0] |= change
    with pytest.raises(errors.Invalid, match=text):
        await client.create(CRD, definition)
