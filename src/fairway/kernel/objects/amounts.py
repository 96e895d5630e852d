"""Amounts: where the quantities of a kind are, read from its schema, and how they get their settled form. Pure.

A server answers with one form of each quantity (`quantities.settled`), whatever a client wrote. `Amounts` knows the few
places of a kind at which there are any, so that the rest of an object costs nothing. What is no quantity at its place
raises BadRequest; everything else about shapes is for `schemas`.

>>> definitions = {"Quantity": {"type": "string"}, "Needs": {"additionalProperties": {"$ref": "Quantity"}}}
>>> schema = {"properties": {"name": {"type": "string"}, "limits": {"$ref": "Needs"}}}
>>> found = Amounts.of(schema, definitions, "Quantity")
>>> found and found.settled({"name": "1024Mi", "limits": {"memory": "1024Mi", "cpu": 1}})
{'name': '1024Mi', 'limits': {'memory': '1Gi', 'cpu': '1'}}
>>> Amounts.of({"properties": {"name": {"type": "string"}}}, definitions, "Quantity") is None
True
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fairway.kernel.objects import quantities
from fairway.kernel.objects.kinds import Object

Form = Callable[[Any], Any]


class Amounts:
    """One place of a schema at or below which there are quantities."""

    __slots__ = ("_each", "_members", "settled")

    def __init__(self, settled: Form | None = None) -> None:
        self._members: tuple[tuple[str, Amounts], ...] = ()
        self._each: Amounts | None = None  # the elements of a list, or the values of a free map
        self.settled: Form = settled or self._nothing
        """A value with its quantities in their settled form; the very same where they have it already."""

    @classmethod
    def of(cls, schema: Object, definitions: Mapping[str, Object], quantity: str) -> Amounts | None:
        """None where there are no quantities. `definitions` are what `$ref`s name, `quantity` is one of them."""
        search = _Search(definitions, quantity)
        found = search.place(schema)
        search.finish()
        return found if found.holds() else None

    def member(self, name: str) -> Amounts | None:
        """The place of one field."""
        return next((place for member, place in self._members if member == name), None)

    def holds(self) -> bool:
        return self.settled != self._nothing

    def hold(self, members: tuple[tuple[str, Amounts], ...], each: Amounts | None) -> bool:
        """Take over what is below; whether that is news."""
        if members == self._members and each is self._each:
            return False
        self._members, self._each = members, each
        self.settled = self._below_each if each else self._below_members
        return True

    def _nothing(self, value: Any) -> Any:
        return value

    def _below_members(self, value: Any) -> Any:
        if value.__class__ is not dict:
            return value
        result = value
        for name, place in self._members:
            inner = value.get(name)
            if inner is not None and (new := place.settled(inner)) is not inner:
                result = result if result is not value else dict(value)
                result[name] = new
        return result

    def _below_each(self, value: Any) -> Any:
        inside = value.items() if value.__class__ is dict else enumerate(value) if value.__class__ is list else ()
        settled = self._each.settled if self._each else self._nothing
        result = value
        for key, inner in inside:
            if (new := settled(inner)) is not inner:
                result = result if result is not value else copy.copy(value)
                result[key] = new
        return result


class _Search:
    """Follows the references of a schema; each definition is looked at once, since they may name themselves."""

    def __init__(self, definitions: Mapping[str, Object], quantity: str) -> None:
        self._definitions = definitions
        self._named = {quantity: Amounts(quantities.settled)}
        self._below: list[tuple[Amounts, dict[str, Amounts], Amounts | None]] = []

    def place(self, schema: Object) -> Amounts:
        for name in _references(schema):
            if name not in self._named:
                place = self._named[name] = Amounts()
                self._look(place, self._definitions.get(name, {}))
            return self._named[name]
        place = Amounts()
        self._look(place, schema)
        return place

    def finish(self) -> None:
        """Keep only the ways that lead to a quantity."""
        changed = True
        while changed:
            changed = False
            for place, members, each in self._below:
                kept = tuple((name, inner) for name, inner in members.items() if inner.holds())
                changed |= place.hold(kept, each if each is not None and each.holds() else None)

    def _look(self, place: Amounts, schema: Object) -> None:
        extra, items = schema.get("additionalProperties"), schema.get("items")
        inner = extra if isinstance(extra, dict) else items
        members = {name: self.place(part) for name, part in (schema.get("properties") or {}).items()}
        self._below.append((place, members, self.place(inner) if isinstance(inner, dict) else None))


def _references(schema: Object) -> Iterator[str]:
    """What a schema is by its name. One beside a default stands in allOf."""
    for part in (schema, *(schema.get("allOf") or ())):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
