"""The protobuf form of an OpenAPI v2 document, the only one that kubectl asks for.

The tables are the messages of openapi.v2.Document as far as `swagger` uses them: to each word its field's number, and
how its value is written there. What begins with `x-` travels as text, since anything may be in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from fairway.kernel.objects.kinds import Object

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_FOR = (MEDIA_TYPE, MEDIA_TYPE.replace("v2.v1", "v2@v1"))
"""Also by a name that is no media type, which most clients use."""

Encode = Callable[[int, Any], bytes]
"""(number, value) to the field, or to several of that number."""
Table = Mapping[str, tuple[int, Encode]]

_EXTENSIONS = "x-"


def document(whole: Object) -> bytes:
    return _content(_DOCUMENT, whole)


def _content(table: Table, value: Object) -> bytes:
    parts = []
    for word, member in value.items():
        if word in table:
            number, encode = table[word]
            parts.append(encode(number, member))
        elif word.startswith(_EXTENSIONS) and _EXTENSIONS in table:
            number, encode = table[_EXTENSIONS]
            parts.append(encode(number, {word: member}))
    return b"".join(parts)


# Single fields


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: Any) -> bytes:
    return _bytes(number, str(value).encode())


def _integer(number: int, value: Any) -> bytes:
    """Flags too."""
    return _varint(number << 3) + _varint(int(value))


def _real(number: int, value: Any) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", float(value))


def _any(number: int, value: Any) -> bytes:
    return _bytes(number, _bytes(2, orjson.dumps(value)))  # as YAML, which JSON is


# Fields made of fields


def _message(table: Table) -> Encode:
    return lambda number, value: _bytes(number, _content(table, value))


def _inside(inner: int, encode: Encode) -> Encode:
    """A message that has only that field."""
    return lambda number, value: _bytes(number, encode(inner, value))


def _each(encode: Encode) -> Encode:
    return lambda number, values: b"".join(encode(number, value) for value in values)


def _named(encode: Encode) -> Encode:
    """A map: messages of a name and a value."""
    return lambda number, values: b"".join(
        _bytes(number, _text(1, name) + encode(2, value)) for name, value in values.items()
    )


def _schema(number: int, value: Any) -> bytes:
    return _bytes(number, _content(_SCHEMA, value))


def _additional(number: int, value: Any) -> bytes:
    return _bytes(number, _integer(2, value) if isinstance(value, bool) else _schema(1, value))


def _parameter(number: int, value: Any) -> bytes:
    """What it is depends on where it stands."""
    if value["in"] == "body":
        return _bytes(number, _bytes(1, _message(_BODY)(1, value)))
    place, table = (3, _QUERY) if value["in"] == "query" else (4, _PATH_PARAMETER)
    return _bytes(number, _bytes(1, _bytes(2, _message(table)(place, value))))


_SCHEMA: Table = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _any),
    "multipleOf": (6, _real),
    "maximum": (7, _real),
    "exclusiveMaximum": (8, _integer),
    "minimum": (9, _real),
    "exclusiveMinimum": (10, _integer),
    "maxLength": (11, _integer),
    "minLength": (12, _integer),
    "pattern": (13, _text),
    "maxItems": (14, _integer),
    "minItems": (15, _integer),
    "uniqueItems": (16, _integer),
    "maxProperties": (17, _integer),
    "minProperties": (18, _integer),
    "required": (19, _each(_text)),
    "enum": (20, _each(_any)),
    "additionalProperties": (21, _additional),
    "type": (22, _inside(1, _text)),
    "items": (23, _inside(1, _schema)),
    "properties": (25, _inside(1, _named(_schema))),
    _EXTENSIONS: (31, _named(_any)),
}
_BODY: Table = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _integer),
    "schema": (5, _schema),
}
_PLACED: Table = {"required": (1, _integer), "in": (2, _text), "description": (3, _text), "name": (4, _text)}
_QUERY: Table = {**_PLACED, "type": (6, _text)}
_PATH_PARAMETER: Table = {**_PLACED, "type": (5, _text)}
_RESPONSE: Table = {"description": (1, _text), "schema": (2, _inside(1, _schema))}
_OPERATION: Table = {
    "tags": (1, _each(_text)),
    "description": (3, _text),
    "produces": (6, _each(_text)),
    "consumes": (7, _each(_text)),
    "parameters": (8, _each(_parameter)),
    "responses": (9, _inside(1, _named(_inside(1, _message(_RESPONSE))))),
    _EXTENSIONS: (13, _named(_any)),
}
_PATH: Table = {
    "get": (2, _message(_OPERATION)),
    "put": (3, _message(_OPERATION)),
    "post": (4, _message(_OPERATION)),
    "delete": (5, _message(_OPERATION)),
    "patch": (8, _message(_OPERATION)),
    "parameters": (9, _each(_parameter)),
}
_INFO: Table = {"title": (1, _text), "version": (2, _text)}
_DOCUMENT: Table = {
    "swagger": (1, _text),
    "info": (2, _message(_INFO)),
    "paths": (8, _inside(2, _named(_message(_PATH)))),
    "definitions": (9, _inside(1, _named(_schema))),
}
