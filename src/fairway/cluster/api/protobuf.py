"""Protobuf request bodies to objects: what kubectl 1.32 and later, and typed Go clients, send for built-in kinds.

Answers stay JSON, which these clients accept, so there is a decoder only. It is driven by a table of field numbers
(`data/protobuf.json`, made by `tools/generate_protobuf.py`); the few types whose JSON is not what their fields say
are decoded by hand at the end. A body is a stranger's: whatever it holds, the answer is an object or BadRequest.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources as files
from typing import Any

import orjson

from fairway.kernel import clock
from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import Object

MAGIC = b"k8s\x00"

_DEEPEST = 100  # structs within structs; a pod's deepest field is at 10, schemas of custom resources go deeper
_META = "apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "apiextensions_apiserver.pkg.apis.apiextensions.v1."
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Field:
    """`name` is empty for an inlined struct; `shape` is "", list or map; `keep`: an explicit zero is content."""

    name: str
    type: str
    shape: str
    keep: bool


@dataclass(frozen=True, slots=True)
class _Table:
    kinds: Mapping[str, str]
    messages: Mapping[str, Mapping[int, _Field]]


def decode(body: bytes) -> Object:
    """The object of an enveloped body, with its apiVersion and kind. Raises BadRequest."""
    try:
        return _decode(body)
    except _Malformed as error:
        raise BadRequest(f"the protobuf body is malformed: {error}") from error


class _Malformed(ValueError):
    pass


def _decode(body: bytes) -> Object:
    if not body.startswith(MAGIC):
        raise BadRequest("a protobuf body must begin with the bytes k8s\\0; send JSON, or what the Go clients send")
    envelope = {number: value for number, _, value in _fields(body[len(MAGIC) :])}
    type_meta = {number: value for number, _, value in _fields(_bytes(envelope.get(1, b"")))}
    api_version, kind = _text(type_meta.get(1, b"")), _text(type_meta.get(2, b""))
    raw = _bytes(envelope.get(2, b""))
    if envelope.get(3):
        raise BadRequest("compressed protobuf bodies are not understood; send them plain, or send JSON")
    if _text(envelope.get(4, b"")) == "application/json":
        return _json_object(raw)
    table = _table()
    # Delete options belong to every group.
    message = _META + "DeleteOptions" if kind == "DeleteOptions" else table.kinds.get(f"{api_version}/{kind}")
    if message is None:
        raise BadRequest(
            f"{api_version} {kind or 'without a kind'} is not a built-in kind that is served here; "
            "custom resources are sent as JSON"
        )
    return {"apiVersion": api_version, "kind": kind, **_message(raw, message, 0)}


def _message(data: bytes, name: str, depth: int) -> Object:
    if depth > _DEEPEST:
        raise _Malformed("it is nested too deeply")
    fields = _table().messages[name]
    result: Object = {}
    for number, wire, value in _fields(data):
        field = fields.get(number)
        if field is None:
            continue  # from a newer client; upstream's decoder skips it too
        if field.shape == "map":
            key, item = _entry(_bytes(value), field.type, depth)
            result.setdefault(field.name, {})[key] = item
        elif field.shape == "list":
            result.setdefault(field.name, []).extend(_items(value, wire, field.type, depth))
        else:
            _put(result, field, _value(value, wire, field.type, depth))
    return result


def _put(result: Object, field: _Field, value: Any) -> None:
    """Proto says the zero of every struct field; JSON says it only where it means something."""
    if not field.name:
        result.update(value)
    elif value is not None and (value or field.keep):
        result[field.name] = value


def _entry(data: bytes, type_: str, depth: int) -> tuple[str, Any]:
    key, item = "", _zero(type_, depth)
    for number, wire, value in _fields(data):
        if number == 1:
            key = _text(value)
        elif number == 2:
            item = _value(value, wire, type_, depth)
    return key, item


def _zero(type_: str, depth: int) -> Any:
    """The value of a map entry that says only its key."""
    return _value(b"" if type_ in ("string", "bytes") or type_ not in _SCALARS else 0, _BYTES, type_, depth)


def _items(value: int | bytes, wire: int, type_: str, depth: int) -> Iterator[Any]:
    if wire == _BYTES and type_ in _PACKED:
        data, at = _bytes(value), 0
        while at < len(data):
            number, at = _varint(data, at)
            yield _SCALARS[type_](number)
    else:
        yield _value(value, wire, type_, depth)


def _value(value: int | bytes, wire: int, type_: str, depth: int) -> Any:
    scalar = _SCALARS.get(type_)
    if scalar:
        return scalar(value)
    data = _bytes(value)
    special = _SPECIAL.get(type_)
    if special:
        return special(data)
    found = _message(data, type_, depth + 1)
    reshape = _RESHAPED.get(type_)
    return reshape(found) if reshape else found


# The wire


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of each field; numbers as they are, everything else as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise _Malformed(f"field {number} has the unknown wire type {wire}")
        if size > len(data) - at:
            raise _Malformed("it ends in the middle of a field")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _Malformed("it ends in the middle of a number")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at
    raise _Malformed("it has a number of more than 64 bits")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise _Malformed("it has a number where a text or a struct belongs")


def _number(value: int | bytes) -> int:
    if isinstance(value, int):
        return value
    raise _Malformed("it has a text where a number belongs")


def _signed(value: int | bytes) -> int:
    number = _number(value)
    return number - (1 << 64) if number >> 63 else number


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise _Malformed("it has a text that is not UTF-8") from error


def _float(value: int | bytes) -> float:
    data = _bytes(value)
    if len(data) not in (4, 8):
        raise _Malformed("it has a number of the wrong size")
    return float(struct.unpack("<f" if len(data) == 4 else "<d", data)[0])


_SCALARS: Mapping[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "bool": lambda value: bool(_number(value)),
    "int32": _signed,
    "int64": _signed,
    "uint32": _number,
    "uint64": _number,
    "double": _float,
    "float": _float,
}
_PACKED = {"bool", "int32", "int64", "uint32", "uint64"}


# Types whose JSON is their own


def _quantity(data: bytes) -> str:
    return _text(_by_number(data).get(1, b"0")) or "0"


def _int_or_string(data: bytes) -> int | str:
    fields = _by_number(data)
    return _text(fields.get(3, b"")) if fields.get(1) else _signed(fields.get(2, 0))


def _time(data: bytes) -> str | None:
    """The zero time has no bytes, and is null in JSON."""
    return _stamp(data, clock.timestamp)


def _micro_time(data: bytes) -> str | None:
    return _stamp(data, clock.timestamp_micro)


def _stamp(data: bytes, text: Callable[[float], str]) -> str | None:
    if not data:
        return None
    fields = _by_number(data)
    try:
        return text(_signed(fields.get(1, 0)) + _signed(fields.get(2, 0)) / 1e9)
    except (ValueError, OverflowError, OSError) as error:
        raise _Malformed("it has a time outside the years 1 to 9999") from error


def _json(data: bytes) -> Any:
    raw = _bytes(_by_number(data).get(1, b""))
    return _read_json(raw) if raw else None


def _by_number(data: bytes) -> dict[int, int | bytes]:
    return {number: value for number, _, value in _fields(data)}


def _json_object(raw: bytes) -> Object:
    found = _read_json(raw)
    if not isinstance(found, dict):
        raise _Malformed("the JSON within it is not an object")
    return found


def _read_json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _Malformed(f"the JSON within it cannot be read: {error}") from error


_SPECIAL: Mapping[str, Callable[[bytes], Any]] = {
    "apimachinery.pkg.api.resource.Quantity": _quantity,
    "apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    _META + "Time": _time,
    _META + "MicroTime": _micro_time,
    _META + "FieldsV1": _json,
    _EXTENSIONS + "JSON": _json,
}


def _named_slice(found: Object) -> Any:
    return found.get("items", [])


def _schema_or(other: str, default: Any) -> Callable[[Object], Any]:
    """A union: a schema where there is one, or else the other member."""
    return lambda found: found["schema"] if "schema" in found else found.get(other, default)


# Types that proto wraps in a message and JSON does not.
_RESHAPED: Mapping[str, Callable[[Object], Any]] = {
    "api.authentication.v1.ExtraValue": _named_slice,
    _EXTENSIONS + "JSONSchemaPropsOrArray": _schema_or("jSONSchemas", []),
    _EXTENSIONS + "JSONSchemaPropsOrBool": _schema_or("allows", False),
    _EXTENSIONS + "JSONSchemaPropsOrStringArray": _schema_or("property", []),
}


@lru_cache(maxsize=1)
def _table() -> _Table:
    text = files.files("fairway.cluster.api").joinpath("data", "protobuf.json").read_bytes()
    data = orjson.loads(text)
    messages = {
        message: {number: _Field(name, type_, shape, zero == "keep") for number, name, type_, shape, zero in rows}
        for message, rows in data["messages"].items()
    }
    return _Table(data["kinds"], messages)
