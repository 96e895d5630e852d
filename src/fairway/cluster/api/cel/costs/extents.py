"""How large the values of a schema may be: by what it says (maxLength, maxItems, maxProperties, enum, format).

Where it says nothing, they may be as large as fits into the largest request.

Beside `schema_types`, which says of the same schema which types it has: what has no type there has no extent here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.cluster.api.cel import schema_types
from fairway.cluster.api.cel.costs.sizes import Size
from fairway.cluster.api.cel.escaping import escaped

LARGEST_REQUEST = 3 * 1024 * 1024
_LONGEST_NAME = 253
_LEAST = {"boolean": 4, "integer": 1, "number": 1}
_FORMATS = {"duration": (3, 32), "date": (12, 12), "date-time": (21, 32)}
"""The least that it takes in JSON, and the most characters."""
_QUOTES = 2


@dataclass(frozen=True, slots=True)
class Extent:
    most: int = 0
    """Elements or characters. Scalars and objects have none: they are not walked."""
    bytes: int = 2
    """The least that such a value takes in JSON."""
    key: Extent | None = None
    element: Extent | None = None
    fields: Mapping[str, Extent] = field(default_factory=dict)

    def at(self, path: tuple[str, ...]) -> Size | None:
        """The size of what a path leads to. Its first part is the variable, and whatever that is, it begins here."""
        place: Extent | None = self if path else None
        for step in path[1:]:
            if place is None:
                return None
            if step in ("@items", "@values"):
                place = place.element
            else:
                place = place.key if step == "@keys" else place.fields.get(step)
        return None if place is None else Size(0, place.most)

    @property
    def times(self) -> int:
        """How often such a value may be in an object, where nothing above it is limited."""
        return LARGEST_REQUEST // (self.bytes + 1)


_KEY = Extent(0, _QUOTES)


def extent_of(schema: Any, *, resource: bool = False) -> Extent | None:
    """`resource` says that it is a whole object."""
    if not isinstance(schema, dict):
        return None
    resource = resource or schema.get("x-kubernetes-embedded-resource") is True
    if schema.get("x-kubernetes-int-or-string"):
        return Extent(_longest(schema), 1)
    kind = schema.get("type")
    if kind == "array":
        return _list(schema)
    if kind == "object":
        return _map(schema) if isinstance(schema.get("additionalProperties"), dict) else _object(schema, resource)
    if kind == "string":
        return _text(schema)
    return Extent(0, _LEAST[kind]) if kind in _LEAST else None


def _list(schema: Mapping[str, Any]) -> Extent | None:
    element = extent_of(schema.get("items"))
    if element is None:
        return None
    most = _limit(schema, "maxItems")
    return Extent((LARGEST_REQUEST - 2) // (element.bytes + 1) if most is None else most, element=element)


def _map(schema: Mapping[str, Any]) -> Extent | None:
    element = extent_of(schema["additionalProperties"])
    if element is None:
        return None
    most = _limit(schema, "maxProperties")
    # Beside the value there are a key in quotes, a colon and a comma.
    return Extent((LARGEST_REQUEST - 2) // (element.bytes + 6) if most is None else most, key=_KEY, element=element)


def _object(schema: Mapping[str, Any], resource: bool) -> Extent:
    properties = schema.get("properties") or {}
    if resource and not schema_types.is_whole(properties):
        properties = {**properties, **_resource_fields(properties)}
    required = schema.get("required") or ()
    fields: dict[str, Extent] = {}
    least = 2
    for name, inner in properties.items():
        found = extent_of(inner)
        if found is None:
            continue
        spelled = escaped(name)
        if spelled is not None:
            fields[spelled] = fields[name] = found
        if name in required and inner.get("default") is None:
            least += len(name) + found.bytes + 4
    return Extent(0, least, fields=fields)


def _resource_fields(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """What every object has, whatever the schema says of it. Names are no longer than names may be."""
    said = (properties.get("metadata") or {}).get("properties") or {}

    def name(key: str, most: int) -> Mapping[str, Any]:
        given = _limit(said.get(key) or {}, "maxLength")
        return {"type": "string", "maxLength": most if given is None else min(given, most)}

    names = {"name": name("name", _LONGEST_NAME), "generateName": name("generateName", _LONGEST_NAME - 1)}
    text = {"type": "string"}
    return {"apiVersion": text, "kind": text, "metadata": {"type": "object", "properties": names}}


def _text(schema: Mapping[str, Any]) -> Extent:
    form = schema.get("format") or ""
    if form in _FORMATS:
        least, most = _FORMATS[form]
        return Extent(most, least)
    if form == "byte":
        most_bytes = _limit(schema, "maxLength")
        return Extent(LARGEST_REQUEST - _QUOTES if most_bytes is None else most_bytes, _QUOTES)
    values = schema.get("enum")
    if values and schema.get("maxLength") is None:
        return Extent(max((len(one.encode()) for one in values if isinstance(one, str)), default=0), _QUOTES)
    return Extent(_longest(schema), _QUOTES)


def _longest(schema: Mapping[str, Any]) -> int:
    """In bytes, of which a character has up to four."""
    most = _limit(schema, "maxLength")
    return LARGEST_REQUEST - _QUOTES if most is None else 4 * most


def _limit(schema: Mapping[str, Any], word: str) -> int | None:
    given = schema.get(word)
    return None if given is None else max(0, int(given))
