"""Which schemas a CustomResourceDefinition may carry: the structural ones, as Kubernetes calls them.

In a structural schema each place says what it is (a type, integer or string, or anything), so that pruning
and defaulting have one meaning. What is not structural is refused by name here; `schemas` compiles the rest.

>>> [cause.field for cause in problems({"type": "object", "properties": {"spec": {}}})]
['properties[spec].type']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.kernel.objects import structural_shapes as shapes
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_NOT_INSIDE_JUNCTORS = ("additionalProperties", "default", "description", "nullable", "title", "type")
_SHAPES = (
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
)


def problems(schema: Any, path: str = "") -> list[Cause]:
    """What keeps the schema from being structural; empty where nothing does."""
    if not isinstance(schema, dict):
        return [_invalid(path or "schema", "a schema is an object")]
    found = list(_place(schema, path, "at the root"))
    if schema.get("nullable"):
        found.append(_no(_join(path, "nullable"), "nullable cannot be true at the root"))
    found += shapes.metadata_problems(schema, path)
    if schema.get("type") != "object":
        found.append(_invalid(_join(path, "type"), 'must be "object" at the root'))
    return found


def _place(schema: Object, path: str, where: str) -> Iterator[Cause]:
    open_ = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    yield from shapes.problems(schema, path)
    if not schema.get("type") and not open_:
        yield Cause(_join(path, "type"), f"Required value: must not be empty {where}", "FieldValueRequired")
    yield from _forbidden(schema, path)
    for word in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(word) or ()):
            yield from _junctor(inner, _join(path, f"{word}[{index}]"), bool(schema.get("x-kubernetes-int-or-string")))
    if isinstance(schema.get("not"), dict):
        yield from _junctor(schema["not"], _join(path, "not"), False)
    yield from _children(schema, path)


def _children(schema: Object, path: str) -> Iterator[Cause]:
    properties = schema.get("properties") or {}
    if not isinstance(properties, dict):
        yield _invalid(_join(path, "properties"), "must be an object of schemas")
        return
    for name, inner in properties.items():
        at = _join(path, f"properties[{name}]")
        if isinstance(inner, dict):
            yield from _place(inner, at, "for specified object fields")
        else:
            yield _invalid(at, "a schema is an object")
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        yield from _place(extra, _join(path, "additionalProperties"), "for specified object fields")
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _place(items, _join(path, "items"), "for specified array items")


def _forbidden(schema: Object, path: str) -> Iterator[Cause]:
    if "$ref" in schema:
        yield _no(_join(path, "$ref"), "$ref is not supported")
    if schema.get("uniqueItems"):
        yield _no(
            _join(path, "uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        )
    if schema.get("additionalProperties") is False:
        yield _no(_join(path, "additionalProperties"), "additionalProperties cannot be set to false")
    if schema.get("additionalProperties") and schema.get("properties"):
        yield _no(_join(path, "additionalProperties"), "additionalProperties and properties are mutual exclusive")
    if isinstance(schema.get("items"), list):
        yield _no(_join(path, "items"), "items must be a schema object and not an array")
    if (
        schema.get("type") == "array"
        and "items" not in schema
        and not schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        yield Cause(_join(path, "items"), "Required value: must be specified", "FieldValueRequired")


def _junctor(schema: Any, path: str, int_or_string: bool) -> Iterator[Cause]:
    """Inside allOf, anyOf, oneOf and not only values are constrained; the shape is said outside."""
    if not isinstance(schema, dict):
        return
    for word in _NOT_INSIDE_JUNCTORS:
        if word in schema and not (word == "type" and int_or_string):
            yield _no(_join(path, word), "must be empty to be structural")
    for word in _SHAPES:
        if word in schema:
            yield _no(_join(path, word), "must be undefined to be structural")
    yield from shapes.pattern(schema, path)
    for name, inner in (schema.get("properties") or {}).items():
        yield from _junctor(inner, _join(path, f"properties[{name}]"), False)
    yield from _junctor(schema.get("items"), _join(path, "items"), False)


def _join(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step


def _no(field: str, why: str) -> Cause:
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def _invalid(field: str, why: str) -> Cause:
    return Cause(field, f"Invalid value: {why}")
