"""What one place of a structural schema may say of itself: its kind of list, embedded resources, patterns, defaults.

`structural` walks the places.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from fairway.kernel.objects import patterns
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.schemas import Schema, path_text

_LIST, _KEYS, _MAP = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"
_EMBEDDED, _EITHER = "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"
_KEEPS = "x-kubernetes-preserve-unknown-fields"
_SCALARS = ("string", "integer", "number", "boolean")
_NAMED_METADATA = ("name", "generateName")


def problems(schema: Object, path: str) -> Iterator[Cause]:
    yield from pattern(schema, path)
    yield from _lists(schema, path)
    if _MAP in schema:
        yield from _typed(schema, path, "object", _MAP)
        if schema[_MAP] not in ("atomic", "granular"):
            yield _unsupported(f"{path}.{_MAP}", schema[_MAP], "atomic", "granular")
    if schema.get(_EMBEDDED):
        yield from _embedded(schema, path)
    if schema.get(_EITHER):
        for word in (_KEEPS, _EMBEDDED):
            if schema.get(word):
                yield _invalid(f"{path}.{word}", schema[word], f"must be false if {_EITHER} is true")
        if schema.get("type"):
            yield Cause(f"{path}.type", f"Forbidden: must be empty if {_EITHER} is true", "FieldValueForbidden")
    if _KEEPS in schema and schema[_KEEPS] is not True:
        yield _invalid(f"{path}.{_KEEPS}", schema[_KEEPS], "must be true or undefined")
    if "default" in schema:
        yield from _default(schema, path)


def pattern(schema: Object, path: str) -> Iterator[Cause]:
    text = schema.get("pattern")
    if isinstance(text, str):
        try:
            patterns.compiled(text)
        except ValueError as problem:
            yield _invalid(f"{path}.pattern", text, f"must be a valid regular expression, but isn't: {problem}")


def metadata_problems(schema: Object, path: str) -> list[Cause]:
    """Everybody's metadata have rules of their own; a schema may only constrain the name."""
    metadata = (schema.get("properties") or {}).get("metadata")
    if not isinstance(metadata, dict):
        return []
    at = f"{path}.properties[metadata]"
    if metadata.get("type") != "object":
        return [_invalid(f"{at}.type", metadata.get("type"), "must be object")]
    if set(metadata.get("properties") or ()) - set(_NAMED_METADATA):
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        return [Cause(at, f"Forbidden: {why}", "FieldValueForbidden")]
    return []


def _lists(schema: Object, path: str) -> Iterator[Cause]:
    kind, keys = schema.get(_LIST), schema.get(_KEYS) or []
    if kind is not None:
        yield from _typed(schema, path, "array", _LIST)
        if kind not in ("atomic", "set", "map"):
            yield _unsupported(f"{path}.{_LIST}", kind, "atomic", "set", "map")
    if keys and kind != "map":
        why = f"must be map if {_KEYS} is non-empty"
        yield _required(f"{path}.{_LIST}", why) if kind is None else _invalid(f"{path}.{_LIST}", kind, why)
    items = schema.get("items")
    items = items if isinstance(items, dict) else {}
    if kind == "set":
        yield from _set_items(items, path)
    if kind == "map":
        yield from _map_items(items, keys, path)


def _set_items(items: Object, path: str) -> Iterator[Cause]:
    why = f"must be atomic as item of a list with {_LIST}=set"
    if items.get("type") == "array" and items.get(_LIST) not in (None, "atomic"):
        yield _invalid(f"{path}.items.{_LIST}", items[_LIST], why)
    if items.get("type") == "object" and items.get(_MAP) != "atomic":
        yield _invalid(f"{path}.items.{_MAP}", items.get(_MAP), why)


def _map_items(items: Object, keys: list[Any], path: str) -> Iterator[Cause]:
    if not keys:
        yield _required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
    if items.get("type") != "object":
        why = f"must be object if parent array's {_LIST} is map"
        yield _invalid(f"{path}.items.type", items.get("type"), why)
    properties = items.get("properties") or {}
    for name in keys:
        if name not in properties:
            yield _invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        elif properties[name].get("type") not in _SCALARS and not properties[name].get(_EITHER):
            why = f"must be a scalar type if parent array's {_LIST} is map"
            yield _invalid(f"{path}.items.properties[{name}].type", properties[name].get("type"), why)
        elif name not in (items.get("required") or ()) and "default" not in properties[name]:
            why = f"this property is in {_KEYS}, so it must have a default or be a required property"
            yield _required(f"{path}.items.properties[{name}].default", why)
    if len(set(map(str, keys))) != len(keys):
        yield _invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _embedded(schema: Object, path: str) -> Iterator[Cause]:
    yield from _typed(schema, path, "object", f"{_EMBEDDED}", verb="true")
    if "additionalProperties" in schema:
        why = f"Forbidden: must not be used if {_EMBEDDED} is set"
        yield Cause(f"{path}.additionalProperties", why, "FieldValueForbidden")
    if not schema.get("properties") and not schema.get(_KEEPS):
        yield _required(f"{path}.properties", f"must not be empty if {_EMBEDDED} is true without {_KEEPS}")
    for name in ("apiVersion", "kind"):
        inner = (schema.get("properties") or {}).get(name)
        if inner is not None and inner.get("type") != "string":
            yield _invalid(f"{path}.properties[{name}].type", inner.get("type"), "must be string")
    yield from metadata_problems(schema, path)


def _typed(schema: Object, path: str, kind: str, word: str, verb: str = "specified") -> Iterator[Cause]:
    given = schema.get("type")
    if given != kind:
        why = f"must be {kind} if {word} is {verb}"
        yield _invalid(f"{path}.type", given, why) if given else _required(f"{path}.type", why)


def _default(schema: Object, path: str) -> Iterator[Cause]:
    """A default is held to the schema of its place, as any value."""
    value = schema["default"]
    if value is None and schema.get("nullable"):
        return
    try:
        compiled = Schema(schema)
    except (TypeError, AttributeError, ValueError):
        return  # what is wrong with the schema itself is told already
    copy = orjson.loads(orjson.dumps(value))
    unknown = compiled.prune(copy)
    for field in unknown:
        yield _invalid(f"{path}.default", value, f"must not have unknown fields: {field}")
    for finding in [] if unknown else compiled.findings(value):
        at = path_text(finding.steps)
        yield finding.cause(f"{path}.default{'.' + at if at else ''}")


def _unsupported(field: str, value: Any, *allowed: str) -> Cause:
    listed = ", ".join(f'"{one}"' for one in allowed)
    return Cause(field, f"Unsupported value: {_shown(value)}: supported values: {listed}", "FieldValueNotSupported")


def _required(field: str, why: str) -> Cause:
    return Cause(field, f"Required value: {why}", "FieldValueRequired")


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause(field, f"Invalid value: {_shown(value)}: {why}")


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()
