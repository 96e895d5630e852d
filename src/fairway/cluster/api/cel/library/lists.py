"""Lists and sets: Kubernetes' own functions of lists, those of the extension, and the extension for sets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError, NoSuchOverload
from fairway.cluster.api.cel.library.overloads import Overload, overload, traversal
from fairway.cluster.api.cel.values import Duration, UInt, equal, frozen, kind_of, weight

_SUMMED = ("int", "uint", "double", "duration")
_ORDERED = ("int", "uint", "double", "bool", "string", "bytes", "timestamp", "duration")
_NUMBERS = ("int", "uint", "double")
_LONGEST_RANGE = 1_000_000
_COMPARED = 20
"""So many elements are compared for one unit."""


def functions() -> Mapping[str, list[Overload]]:
    return {
        "isSorted": [overload(f"list({kind}).() bool", _is_sorted, _walked) for kind in _ORDERED],
        "sum": [overload(f"list({kind}).() {kind}", _summing(kind), _walked) for kind in _SUMMED],
        "min": [overload(f"list({kind}).() {kind}", _least, _walked) for kind in _ORDERED],
        "max": [overload(f"list({kind}).() {kind}", _most, _walked) for kind in _ORDERED],
        "indexOf": [overload("list(A).(A) int", _index_of, _searched)],
        "lastIndexOf": [overload("list(A).(A) int", _last_index_of, _searched)],
        "includes": [overload("dyn.(dyn) bool", _includes, _searched)],
        "slice": [overload("list(A).(int, int) list(A)", _slice, traversal)],
        "flatten": [
            overload("list(list(A)).() list(A)", _flattened, _all_of_it),
            overload("list(dyn).(int) list(dyn)", _flattened, _all_of_it),
        ],
        "reverse": [overload("list(A).() list(A)", lambda items: items[::-1], _walked)],
        "sort": [overload(f"list({kind}).() list({kind})", sorted_items, _sorting) for kind in _ORDERED],
        "distinct": [overload("list(A).() list(A)", _distinct, lambda items: 8 * weight(items) + _sorting(items))],
        "lists.range": [overload("(int) list(int)", _range, lambda size: max(size, 0))],
        "sets.contains": [overload("(list(A), list(A)) bool", _contains, _product)],
        "sets.equivalent": [
            overload(
                "(list(A), list(A)) bool", lambda one, other: _contains(one, other) and _contains(other, one), _product
            )
        ],
        "sets.intersects": [overload("(list(A), list(A)) bool", _intersects, _product)],
    }


def _walked(items: list[Any], *_: Any) -> int:
    return len(items)


def _all_of_it(items: list[Any], *_: Any) -> int:
    return weight(items)


def _sorting(items: list[Any], *_: Any) -> int:
    return len(items) * max(1, len(items).bit_length())


def _searched(items: Any, wanted: Any) -> int:
    """Two values are compared no further than the smaller goes."""
    length = len(items) if isinstance(items, list) else 0
    return length + min(weight(items), weight(wanted) * max(length, 1)) // _COMPARED


def _product(one: list[Any], other: list[Any]) -> int:
    """Each with each."""
    return len(one) * len(other) + min(weight(one) * len(other), weight(other) * len(one)) // _COMPARED


def comparable(items: list[Any]) -> None:
    """Refuse a list whose elements have no order among themselves."""
    kinds = {kind_of(item) for item in items}
    if kinds - set(_ORDERED) or (len(kinds) > 1 and kinds - set(_NUMBERS)):
        raise NoSuchOverload


def _is_sorted(items: list[Any]) -> bool:
    comparable(items)
    return all(items[index] <= items[index + 1] for index in range(len(items) - 1))


def sorted_items(items: list[Any]) -> list[Any]:
    comparable(items)
    return sorted(items)


def _summing(kind: str) -> Any:
    def summed(items: list[Any]) -> Any:
        kinds = set(map(kind_of, items))
        if not items:
            return {"int": 0, "uint": UInt(0), "double": 0.0}.get(kind, Duration(0))
        if len(kinds) != 1 or not kinds <= set(_SUMMED):
            raise NoSuchOverload
        if "duration" in kinds:
            return Duration(sum(item.nanoseconds for item in items))
        total = reduce(lambda one, other: one + other, items)
        if "double" not in kinds and not -(2**63) <= total < 2**64 - (0 if "uint" in kinds else 2**63):
            raise EvaluationError("integer overflow")
        return UInt(total) if "uint" in kinds else total

    return summed


def _least(items: list[Any]) -> Any:
    if not items:
        raise EvaluationError("min called on empty list")
    comparable(items)
    return min(items)


def _most(items: list[Any]) -> Any:
    if not items:
        raise EvaluationError("max called on empty list")
    comparable(items)
    return max(items)


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], wanted)), -1)


def _includes(target: Any, wanted: Any) -> bool:
    if isinstance(target, list):
        return any(equal(item, wanted) for item in target)
    return equal(target, wanted)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flattened(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    if depth == 0:
        return items
    found: list[Any] = []
    for item in items:
        if isinstance(item, list):
            found += _flattened(item, min(depth, 32) - 1)
        else:
            found.append(item)
    return found


def _distinct(items: list[Any]) -> list[Any]:
    seen: set[Any] = set()
    found = []
    for item in items:
        name = frozen(item)
        if name not in seen:
            seen.add(name)
            found.append(item)
    return found


def _range(size: int) -> list[int]:
    if size > _LONGEST_RANGE:
        raise EvaluationError(f"lists.range is limited to {_LONGEST_RANGE} elements")
    return list(range(size))


def _contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(any(equal(item, one) for item in items) for one in wanted)


def _intersects(items: list[Any], others: list[Any]) -> bool:
    return any(equal(item, other) for other in others for item in items)
