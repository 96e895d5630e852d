"""Bodies that kubectl 1.32 sent, against what the same command prints as JSON; and garbage of every sort."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.cluster.api import protobuf
from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import Object

RECORDED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("kubectl_bodies.json").read_text())
BODIES = [base64.b64decode(each["body"]) for each in RECORDED]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each["command"])
def test_what_kubectl_sends_is_what_it_prints(recorded: dict[str, Any]) -> None:
    assert protobuf.decode(base64.b64decode(recorded["body"])) == recorded["object"]


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def envelope(api_version: str, kind: str, raw: bytes, **more: bytes) -> bytes:
    meta = field(1, api_version.encode()) + field(2, kind.encode())
    rest = b"".join(field(int(number[1:]), value) for number, value in more.items())
    return protobuf.MAGIC + field(1, meta) + field(2, raw) + rest


def spec_of(kind: str, raw: bytes) -> Object:
    spec: Object = protobuf.decode(envelope("v1", kind, field(2, raw)))["spec"]
    return spec


def test_an_explicit_zero_of_a_pointer_is_kept() -> None:
    # terminationGracePeriodSeconds is a pointer, priority too; hostNetwork is not.
    spec = spec_of("Pod", field(4, 0) + field(25, -1) + field(11, 0))
    assert spec == {"terminationGracePeriodSeconds": 0, "priority": -1}


def test_types_with_a_json_of_their_own() -> None:
    quantity = field(1, b"100m")
    entry = field(1, b"cpu") + field(2, quantity)
    http = field(1, b"/") + field(2, field(1, 0) + field(2, 8080)) + field(3, b"") + field(4, b"HTTP")
    named = field(2, field(1, 1) + field(2, 0) + field(3, b"web"))
    probes = field(11, field(1, field(2, http))) + field(10, field(1, field(2, named)))
    spec = spec_of("Pod", field(2, field(1, b"c") + field(8, field(1, entry)) + probes))
    (container,) = spec["containers"]
    assert container["resources"] == {"limits": {"cpu": "100m"}}
    assert container["readinessProbe"]["httpGet"] == {"path": "/", "port": 8080, "scheme": "HTTP"}
    assert container["livenessProbe"]["httpGet"]["port"] == "web"


def test_inlined_structs_lie_in_their_parent() -> None:
    empty_dir = field(2, b"")
    spec = spec_of("Pod", field(1, field(1, b"scratch") + field(2, empty_dir)))
    assert spec == {"volumes": [{"name": "scratch", "emptyDir": {}}]}


def test_times() -> None:
    at = field(1, 1_700_000_000) + field(2, 250_000_000)
    lease = protobuf.decode(
        envelope("coordination.k8s.io/v1", "Lease", field(1, field(8, at)) + field(2, field(4, at) + field(1, b"me")))
    )
    assert lease["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert lease["spec"]["renewTime"] == "2023-11-14T22:13:20.250000Z"


def test_delete_options_of_any_group() -> None:
    for group in ("v1", "apps/v1", "meta.k8s.io/v1"):
        options = protobuf.decode(envelope(group, "DeleteOptions", field(1, 0) + field(4, b"Foreground")))
        assert options == {
            "apiVersion": group,
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "propagationPolicy": "Foreground",
        }


def test_json_within_the_envelope() -> None:
    body = envelope("example.org/v1", "Thing", b'{"kind": "Thing", "spec": {}}', _4=b"application/json")
    assert protobuf.decode(body) == {"kind": "Thing", "spec": {}}


def test_schemas_of_custom_resources_have_the_shape_they_have_in_json() -> None:
    text, number = field(5, b"string"), field(5, b"integer")
    default = field(8, field(1, b'{"a": [1]}'))
    items = field(24, field(1, text))
    properties = [
        field(1, b"list") + field(2, field(5, b"array") + items + field(17, 0)),
        field(1, b"open") + field(2, field(5, b"object") + field(30, field(1, 1)) + default),
        field(1, b"closed") + field(2, field(30, field(1, 0))),
        field(1, b"map") + field(2, field(30, field(1, 1) + field(2, number)) + field(38, 1)),
    ]
    schema = field(1, b"".join(field(29, each) for each in properties))
    version = field(1, b"v1") + field(2, 1) + field(3, 1) + field(4, schema)
    definition = protobuf.decode(
        envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, field(1, b"g") + field(7, version)))
    )
    assert definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == {
        "properties": {
            "list": {"type": "array", "items": {"type": "string"}, "minItems": 0},
            "open": {"type": "object", "additionalProperties": True, "default": {"a": [1]}},
            "closed": {"additionalProperties": False},
            "map": {"additionalProperties": {"type": "integer"}, "x-kubernetes-preserve-unknown-fields": True},
        }
    }


def test_fields_of_newer_clients_are_skipped() -> None:
    assert spec_of("Pod", field(9_999, b"new") + field(9_998, 1) + field(10, b"node-1")) == {"nodeName": "node-1"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "must begin with"),
        (envelope("apps/v1", "ToySet", b""), "apps/v1 ToySet is not a built-in kind that is served here"),
        (envelope("v1", "Pod", b"", _3=b"gzip"), "compressed"),
        (envelope("v1", "Pod", b"\x0a\xff"), "malformed"),
        (envelope("v1", "Pod", field(1, field(1, b"\xff\xfe"))), "not UTF-8"),
        (envelope("v1", "Pod", field(1, 7)), "a number where a text or a struct belongs"),
        (envelope("v1", "Pod", field(2, field(4, b"text"))), "a text where a number belongs"),
        (envelope("v1", "Pod", b"\xff" * 12), "more than 64 bits"),
        (envelope("v1", "Pod", field(1, field(8, field(1, 1 << 62)))), "outside the years"),
        (envelope("v1", "Pod", b"", _4=b"application/json"), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        protobuf.decode(body)


def test_a_body_nested_without_end_is_refused() -> None:
    schema = b""
    for _ in range(5_000):
        schema = field(28, schema)
    spec = field(7, field(4, field(1, schema)))
    with pytest.raises(BadRequest, match="nested too deeply"):
        protobuf.decode(envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, spec)))


@given(st.sampled_from(BODIES), st.data())
def test_a_damaged_body_gives_an_object_or_a_refusal(body: bytes, data: st.DataObject) -> None:
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(4, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(4, len(body)))]
    with contextlib.suppress(BadRequest):
        json.dumps(protobuf.decode(bytes(damaged)))


@given(st.binary(max_size=200))
def test_garbage_gives_an_object_or_a_refusal(garbage: bytes) -> None:
    for body in (garbage, protobuf.MAGIC + garbage, envelope("v1", "Pod", garbage)):
        with contextlib.suppress(BadRequest):
            protobuf.decode(body)
