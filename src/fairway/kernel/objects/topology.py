"""Topology: how the parts of a kind are merged and owned, read from its schema. Pure.

A schema says of each list whether it is one value (atomic), a set, or a map with keys, and what a strategic patch
merges it by. `strategic` and server-side apply walk an object along these places; validation is in `schemas`.

>>> root = Place({"properties": {"ports": {"items": {"type": "object"}, "x-kubernetes-list-type": "map",
...     "x-kubernetes-list-map-keys": ["port"], "x-kubernetes-patch-strategy": "merge",
...     "x-kubernetes-patch-merge-key": "port"}}})
>>> ports = root.member("ports")
>>> ports.list_type, ports.keys, ports.merges, ports.merge_key
('map', ('port',), True, 'port')
>>> root.member("unknown").known
False
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from fairway.kernel.objects.kinds import Object


class Place:
    """One place in objects of a kind. `definitions` are what `$ref`s name, by the last part of the reference."""

    def __init__(self, schema: Object, definitions: Mapping[str, Object] | None = None, *, known: bool = True) -> None:
        self._definitions = definitions or {}
        self._schema = _resolved(schema, self._definitions)
        self._members: dict[str, Place] = {}
        self.known = known
        """Whether the schema names this place; what it does not name is taken as it comes."""

    def member(self, name: str) -> Place:
        """The place of a field, or of a value in a free map."""
        if (found := self._members.get(name)) is None:
            found = self._members[name] = self._member(name)
        return found

    @cached_property
    def item(self) -> Place:
        """The place of a list's elements."""
        items = self._schema.get("items")
        return Place(items or {}, self._definitions, known=isinstance(items, dict))

    @property
    def list_type(self) -> str:
        """atomic, set or map; atomic where nothing is said."""
        return str(self._schema.get("x-kubernetes-list-type") or "atomic")

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that tell the elements of a map list apart."""
        return tuple(self._schema.get("x-kubernetes-list-map-keys") or ())

    @property
    def atomic(self) -> bool:
        """Whether an object here is one value, whose fields have one owner together."""
        return self._schema.get("x-kubernetes-map-type") == "atomic"

    @property
    def merges(self) -> bool:
        """Whether a strategic patch merges the list here instead of replacing it."""
        return "merge" in self._strategies

    @property
    def replaces(self) -> bool:
        """Whether a strategic patch replaces the object here instead of merging it."""
        return "replace" in self._strategies

    @property
    def merge_key(self) -> str:
        """The field by which a strategic patch tells the elements of a list apart; empty for plain values."""
        return str(self._schema.get("x-kubernetes-patch-merge-key") or "")

    def default(self, name: str) -> Any:
        """What a field is where it is missing, as keys of map lists have it; None where it has no default."""
        return _resolved((self._schema.get("properties") or {}).get(name) or {}, self._definitions).get("default")

    @property
    def _strategies(self) -> list[str]:
        return str(self._schema.get("x-kubernetes-patch-strategy") or "").split(",")

    def _member(self, name: str) -> Place:
        named = (self._schema.get("properties") or {}).get(name)
        if isinstance(named, dict):
            return Place(named, self._definitions)
        extra = self._schema.get("additionalProperties")
        if isinstance(extra, dict):
            return Place(extra, self._definitions)
        return Place({}, self._definitions, known=bool(self._schema.get("x-kubernetes-preserve-unknown-fields")))


def _resolved(schema: Object, definitions: Mapping[str, Object]) -> Object:
    """The schema with what its references say; what stands beside a reference wins over what it names."""
    while True:
        references = [schema, *(part for part in schema.get("allOf") or () if set(part) == {"$ref"})]
        name = next((part["$ref"].rpartition("/")[2] for part in references if "$ref" in part), None)
        if name is None:
            return schema
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        schema = {**definitions.get(name, {}), **beside}
