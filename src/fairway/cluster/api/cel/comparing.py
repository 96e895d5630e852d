"""The equality of two values of one type: Python's own wherever that is the same, as it is many times quicker.

Lists that are sets or maps have no order; moments and durations inside objects, which are texts there still, are equal
where they mean the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from fairway.cluster.api.cel.converting import conversion
from fairway.cluster.api.cel.types import Type
from fairway.cluster.api.cel.values import equal, identity

Equality = Callable[[Any, Any], bool]
_LEAVES = ("string", "int", "bool", "double", "bytes", "timestamp", "duration", "null")


def equality(type_: Type) -> Equality:
    """What compares two values of the type."""
    if _is_exact(type_):
        return operator.eq
    if type_.kind == "list":
        inner = equality(type_.element)
        if type_.keys is not None:
            return _unordered(inner, type_.keys)
        return lambda left, right: len(left) == len(right) and all(map(inner, left, right))
    if type_.kind == "object" and type_.fields:
        return _of_objects({one.name: _of_json(one.type) for one in type_.fields.values() if not _is_plain(one.type)})
    if type_.kind == "map":
        inner = equality(type_.element)
        return lambda left, right: left.keys() == right.keys() and all(inner(left[key], right[key]) for key in left)
    return equal


def _is_exact(type_: Type) -> bool:
    if type_.kind in _LEAVES:
        return True
    if type_.kind in ("list", "map"):
        return type_.keys is None and all(map(_is_exact, type_.parameters))
    if type_.kind == "object":
        return type_.fields is not None and all(_is_plain(one.type) for one in type_.fields.values())
    return False


def _is_plain(type_: Type) -> bool:
    """Whether values are equal where their JSON is."""
    if type_.kind in ("timestamp", "duration"):
        return False
    return _is_exact(type_) and all(map(_is_plain, type_.parameters))


def _of_json(type_: Type) -> Equality:
    compare, convert = equality(type_), conversion(type_)
    if convert is None:
        return compare
    return lambda left, right: compare(convert(left), convert(right))


def _of_objects(special: dict[str, Equality]) -> Equality:
    def same(left: Any, right: Any) -> bool:
        if not (isinstance(left, dict) and isinstance(right, dict)):
            return left is right
        if left.keys() != right.keys():
            return False
        return all(_same(special.get(name), value, right[name]) for name, value in left.items())

    return same


def _same(compare: Equality | None, one: Any, other: Any) -> bool:
    if compare is None or one is None or other is None:
        return bool(one == other)
    return compare(one, other)


def _unordered(inner: Equality, keys: tuple[str, ...]) -> Equality:
    def same(left: Any, right: Any) -> bool:
        if len(left) != len(right):
            return False
        there = {identity(item, keys): item for item in right}
        return all((name := identity(item, keys)) in there and inner(item, there[name]) for item in left)

    return same
