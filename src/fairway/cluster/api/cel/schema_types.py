"""What an OpenAPI schema is in CEL: the type of a value that fits it.

A schema that says too little has no type, and CEL cannot name such a field; what is an integer or a string is dynamic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.cluster.api.cel import types
from fairway.cluster.api.cel.escaping import escaped
from fairway.cluster.api.cel.types import Field, Type

_STRINGS = {
    "byte": types.BYTES,
    "duration": types.DURATION,
    "date": types.TIMESTAMP,
    "date-time": types.TIMESTAMP,
}
_METADATA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_RESOURCE = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _METADATA}


def type_of(schema: Mapping[str, Any], *, resource: bool = False, name: str = "object") -> Type | None:
    """`resource` says that it is a whole object, whose kind and name can be asked whatever the schema says of them.

    Objects at different places are different types, whatever their fields: `name` tells them from each other.
    """
    if schema.get("x-kubernetes-int-or-string"):
        return types.DYN
    kind = schema.get("type")
    if kind == "array":
        return _list(schema, name)
    if kind == "object":
        return _object(schema, resource, name)
    if kind == "string":
        return _STRINGS.get(schema.get("format", ""), types.STRING)
    return {"boolean": types.BOOL, "integer": types.INT, "number": types.DOUBLE}.get(str(kind))


def _inner(schema: Any, name: str) -> Type | None:
    if not isinstance(schema, dict):
        return None
    return type_of(schema, resource=schema.get("x-kubernetes-embedded-resource") is True, name=name)


def _list(schema: Mapping[str, Any], name: str) -> Type | None:
    element = _inner(schema.get("items"), f"{name}.@idx")
    if element is None:
        return None
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if kind == "map" else () if kind == "set" else None
    return types.list_of(element, keys)


def _object(schema: Mapping[str, Any], resource: bool, name: str) -> Type | None:
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        value = _inner(extra, f"{name}.@elem")
        return types.map_of(types.STRING, value) if value else None
    properties = schema.get("properties") or {}
    if resource and not is_whole(properties):
        properties = {**properties, **_RESOURCE}
    fields: dict[str, Field] = {}
    for field, inner in properties.items():
        spelled = escaped(field)
        found = _inner(inner, f"{name}.{spelled}")
        if found is not None and spelled is not None:
            # A word of the language may also be written plainly, after a dot.
            fields[spelled] = fields[field] = Field(field, found)
    return types.object_of(name, fields)


def is_whole(properties: Mapping[str, Any]) -> bool:
    """Whether a schema says by itself what every object has; then it may say more."""
    metadata = properties.get("metadata") or {}
    inner = metadata.get("properties") or {}
    texts = (properties.get("kind"), properties.get("apiVersion"), inner.get("name"), inner.get("generateName"))
    return metadata.get("type") == "object" and all((one or {}).get("type") == "string" for one in texts)
