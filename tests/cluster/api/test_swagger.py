"""OpenAPI v2: one document of everything, as JSON and in the protobuf form that kubectl reads."""

from __future__ import annotations

import re
from typing import Any

import orjson

from fairway.cluster.api import resources
from fairway.cluster.api.documents import swagger, swagger_wire
from fairway.cluster.api.documents.openapi import Row
from fairway.cluster.api.resources import Resource
from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import Kind, Object
from tests.cluster.api.world import World, define

BUILTIN = [Row(row) for row in resources.builtin()]
WIDGETS = Kind("example.org", "v1", "Widget", "widgets")
EITHER: Object = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
SCHEMA: Object = {"type": "object", "properties": {"port": EITHER, "size": {"type": "integer", "nullable": True}}}


def read(data: bytes) -> dict[int, list[Any]]:
    """The fields of a protobuf message by their numbers."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            value: Any = varint()
        else:
            length = 8 if kind == 1 else varint()
            value = data[at : at + length]
            at += length
        found.setdefault(number, []).append(value)
    return found


def one(data: bytes, *path: int) -> bytes:
    """What lies at the end of a way of field numbers, taking the first of several."""
    for number in path:
        data = read(data)[number][0]
    return data


def test_every_reference_leads_somewhere() -> None:
    whole = orjson.dumps(swagger.document(BUILTIN))
    names = set(re.findall(rb'"\$ref":"([^"]+)"', whole))
    assert all(name.startswith(b"#/definitions/") for name in names)
    assert {name.removeprefix(b"#/definitions/").decode() for name in names} <= set(orjson.loads(whole)["definitions"])


def test_what_this_version_cannot_say_is_said_in_its_words() -> None:
    row = Row(Resource(WIDGETS, "widget", WIDGETS), SCHEMA)
    properties = swagger.document([row])["definitions"]["org.example.v1.Widget"]["properties"]
    assert properties["port"] == {"type": "string", "format": "int-or-string"}
    assert properties["size"] == {}, "an old client would refuse null"
    row = Row(row.resource, {**SCHEMA, "x-kubernetes-preserve-unknown-fields": True})
    assert "properties" not in swagger.document([row])["definitions"]["org.example.v1.Widget"]


def test_the_wire_form_has_the_same_paths_and_definitions() -> None:
    whole = swagger.document(BUILTIN)
    wire = read(swagger_wire.document(whole))
    assert wire[1] == [b"2.0"]
    paths = {one(each, 1).decode(): one(each, 2) for each in read(wire[8][0])[2]}
    assert set(paths) == set(whole["paths"])
    definitions = {one(each, 1).decode(): one(each, 2) for each in read(wire[9][0])[1]}
    assert set(definitions) == set(whole["definitions"])
    pod = read(definitions["io.k8s.api.core.v1.Pod"])
    assert one(pod[22][0], 1) == b"object"
    assert {one(each, 1) for each in read(pod[25][0])[1]} == {b"apiVersion", b"kind", b"metadata", b"spec", b"status"}


def test_the_wire_form_tells_that_a_patch_knows_dry_runs() -> None:
    """Which kubectl looks for before it asks for one: the parameter, and the kind that the operation is of."""
    wire = read(swagger_wire.document(swagger.document(BUILTIN)))
    paths = {one(each, 1): one(each, 2) for each in read(wire[8][0])[2]}
    patch = read(one(paths[b"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"], 8))
    queries = [read(one(each, 1)) for each in patch[8]]
    names = {one(each[2][0], 3, 4) for each in queries if 2 in each}
    assert {b"dryRun", b"fieldValidation"} <= names
    extensions = {one(each, 1): orjson.loads(one(each, 2, 2)) for each in patch[13]}
    assert extensions[b"x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}


async def test_it_is_served_in_both_forms_and_grows_with_what_is_defined(world: World) -> None:
    asked = {"Accept": swagger_wire.ASKED_FOR[1]}
    code, headers, before = await world.raw("GET", "/openapi/v2", headers=asked)
    assert (code, headers["Content-Type"]) == (200, swagger_wire.MEDIA_TYPE)
    code, _, _ = await world.raw("GET", "/openapi/v2", headers={**asked, "If-None-Match": headers["ETag"]})
    assert code == 304
    await define(Client(world.server.transport(Identity("admin", ("system:masters",)))))
    _, _, after = await world.raw("GET", "/openapi/v2", headers=asked)
    _, _, plain = await world.raw("GET", "/openapi/v2")
    assert b"dev.example.v1.Widget" in after and b"dev.example.v1.Widget" not in before
    assert "dev.example.v1.Widget" in orjson.loads(plain)["definitions"]
