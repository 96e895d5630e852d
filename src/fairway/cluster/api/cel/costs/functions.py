"""What a call costs beyond its arguments, by the sizes of what it is given, and how large its result may be.

`estimating` asks here for each overload that may be meant. Functions that are not listed cost one unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from fairway.cluster.api.cel.costs.sizes import MOST, ONE, PATTERN, UNKNOWN, Size, bounded, fixed, scaled
from fairway.cluster.api.cel.library.overloads import Overload
from fairway.cluster.api.cel.types import Type

_LIST = 10
"""What a list costs that is made."""
_ADDRESS = 16
"""The bytes of the longer addresses."""
_FORMAT_NAME, _FORMAT_PATTERN = 64, 128
_TEXTS = ("string", "bytes")


class Price(NamedTuple):
    cost: int = 1
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class Operand:
    type: Type
    known: Size | None
    element: Size = UNKNOWN
    """Of a list: how large its elements may be."""
    number: int | None = None
    """Where it is written as one."""

    @property
    def size(self) -> Size:
        return UNKNOWN if self.known is None else self.known


_Pricing = Callable[[Overload, list[Operand]], Price]


def price(function: str, overload: Overload, operands: list[Operand]) -> Price:
    """`operands` begin with what stands before the dot, if anything does."""
    found = _PRICES.get(function)
    return found(overload, operands) if found else Price()


def sorted_price(keys: Operand, element: Type) -> Price:
    """Of a list that is sorted by keys."""
    return _made(keys.size.times(keys.size), 2.1 if element.kind in (*_TEXTS, "dyn") else 2.0)


def _made(size: Size, factor: float = 1.0) -> Price:
    return Price(bounded(scaled(size.most, factor) + 1 + _LIST), size)


def _first(_: Overload, operands: list[Operand]) -> Price:
    return Price(operands[0].size.traversal)


def _last(_: Overload, operands: list[Operand]) -> Price:
    return Price(operands[-1].size.traversal)


def _kept(_: Overload, operands: list[Operand]) -> Price:
    return Price(operands[0].size.traversal, operands[0].size)


def _walked(_: Overload, operands: list[Operand]) -> Price:
    target = operands[0]
    if target.type.kind != "list":
        return Price(target.size.traversal)
    each = 1 + (target.element.traversal if target.type.element.kind in _TEXTS else 0)
    return Price(bounded(target.size.most * each))


def _includes(overload: Overload, operands: list[Operand]) -> Price:
    return _walked(overload, operands) if operands[0].type.kind == "list" else Price(operands[0].size.most)


def _compared(overload: Overload, operands: list[Operand]) -> Price:
    return _equal(overload, operands) if overload.parameters[0].kind in _TEXTS else Price()


def _unequal(_: Overload, operands: list[Operand]) -> Price:
    return Price(scaled(min(one.size.most for one in operands), 0.1))


def _equal(overload: Overload, operands: list[Operand]) -> Price:
    left, right = operands
    if left.type.kind == "opaque" and left.type == right.type:
        if left.type.name == "Format":
            return Price(scaled(_FORMAT_NAME, 0.1))
        return Price((right.known or ONE).traversal if left.type.name == "URL" else 1)
    return _unequal(overload, operands)


def _sum(overload: Overload, operands: list[Operand]) -> Price:
    kind = overload.parameters[0].kind
    if kind not in (*_TEXTS, "list"):
        return Price()
    size = operands[0].size.plus(operands[1].size)
    return Price(size.traversal if kind in _TEXTS else 1, size)


def _membership(overload: Overload, operands: list[Operand]) -> Price:
    return Price(operands[1].size.most) if overload.parameters[1].kind == "list" else Price()


def _contains(_: Overload, operands: list[Operand]) -> Price:
    return Price(bounded(operands[0].size.traversal * operands[1].size.traversal))


def _matched(operands: list[Operand]) -> int:
    return bounded(operands[0].size.plus(ONE).traversal * scaled(operands[1].size.most, PATTERN))


def _matches(overload: Overload, operands: list[Operand]) -> Price:
    return Price(_matched(operands)) if overload.member else Price()


def _found(_: Overload, operands: list[Operand]) -> Price:
    return Price(_matched(operands), Size(0, operands[0].size.most))


def _to_bytes(overload: Overload, operands: list[Operand]) -> Price:
    if overload.parameters[0].kind != "string":
        return Price()
    size = operands[0].size
    return Price(size.traversal, Size(size.least, bounded(4 * size.most)))


def _to_text(overload: Overload, operands: list[Operand]) -> Price:
    if overload.parameters[0].kind != "bytes":
        return Price()
    size = operands[0].size
    return Price(size.traversal, Size(size.least // 4, size.most))


def _quoted(_: Overload, operands: list[Operand]) -> Price:
    size = operands[0].size
    return Price(size.traversal, Size(size.least + 2, bounded(2 * size.most + 2)))


def _replaced(_: Overload, operands: list[Operand]) -> Price:
    text, old, new = (one.size for one in operands[:3])
    return Price(scaled(text.most, 0.2), Size(_shortest(text, old, new), _longest(text, old, new)))


def _longest(text: Size, old: Size, new: Size) -> int:
    """Where nothing is replaced, the new text surrounds every character; else the shortest are replaced, each."""
    if old.least == 0:
        return bounded((text.most + 1) * new.most + text.most)
    return text.most if new.most <= old.least else bounded(-(-text.most // old.least) * new.most)


def _shortest(text: Size, old: Size, new: Size) -> int:
    if old.most == 0:
        return bounded((text.least + 1) * new.least + text.least)
    return text.least if old.most <= new.least else bounded(-(-text.least // old.most) * new.least)


def _split(_: Overload, operands: list[Operand]) -> Price:
    size, most = operands[0].size, operands[2].number if len(operands) > 2 else None
    parts = size.most if most is None else most if most >= 0 else MOST
    return Price(scaled(size.most, 0.2), Size(0, parts))


def _joined(_: Overload, operands: list[Operand]) -> Price:
    many = operands[0].size
    size = many.times(operands[0].element)
    if len(operands) > 1:
        size = size.plus(operands[1].size.times(Size(max(many.least - 1, 0), max(many.most - 1, 0))))
    return Price(size.traversal, size)


def _sliced(_: Overload, operands: list[Operand]) -> Price:
    start, end = operands[1].number or 0, operands[2].number
    length = max(operands[0].size.most if end is None else end, 0) - max(start, 0)
    return _made(fixed(length if length >= 0 else MOST))


def _flattened(_: Overload, operands: list[Operand]) -> Price:
    depth = 1 if len(operands) == 1 else operands[1].number
    return _made(operands[0].size, MOST if depth is None else max(depth, 0))


def _ranged(_: Overload, operands: list[Operand]) -> Price:
    number = operands[0].number
    return _made(fixed(MOST if number is None else max(number, 0)))


def _distinct(_: Overload, operands: list[Operand]) -> Price:
    return _made(operands[0].size.times(operands[0].size), 2.0)


def _sorted(overload: Overload, operands: list[Operand]) -> Price:
    return _made(operands[0].size.times(operands[0].size), 2.1 if overload.parameters[0].element.kind in _TEXTS else 2)


def _sets(factor: int) -> _Pricing:
    return lambda _, operands: Price(bounded(operands[0].size.most * operands[1].size.most * factor + 1))


def _address(overload: Overload, operands: list[Operand]) -> Price:
    return Price() if overload.member else _first(overload, operands)


def _holds(beyond: int) -> _Pricing:
    """Whether a network holds an address, or another one, which may still be a text."""

    def pricing(overload: Overload, operands: list[Operand]) -> Price:
        read = operands[1].size.traversal if overload.parameters[1].kind == "string" else 0
        return Price(bounded(scaled(2 * _ADDRESS, 0.1) + beyond + read))

    return pricing


_PRICES: dict[str, _Pricing] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _walked),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim", "url", "jsonpatch.escapeKey"), _kept),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver", "format"), _first),
    **dict.fromkeys(("startsWith", "endsWith"), _last),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _compared),
    **dict.fromkeys(("find", "findAll"), _found),
    **dict.fromkeys(("sets.contains", "sets.intersects"), _sets(1)),
    "sets.equivalent": _sets(2),
    "_==_": _equal,
    "_!=_": _unequal,
    "_+_": _sum,
    "@in": _membership,
    "includes": _includes,
    "contains": _contains,
    "matches": _matches,
    "bytes": _to_bytes,
    "string": _to_text,
    "strings.quote": _quoted,
    "replace": _replaced,
    "split": _split,
    "join": _joined,
    "slice": _sliced,
    "flatten": _flattened,
    "lists.range": _ranged,
    "reverse": lambda _, operands: _made(operands[0].size),
    "distinct": _distinct,
    "sort": _sorted,
    "ip": _address,
    "ip.isCanonical": lambda _, operands: Price(scaled(operands[0].size.most, 0.2)),
    "containsIP": _holds(0),
    "containsCIDR": _holds(scaled(_ADDRESS, 0.1) + 1),
    "validate": lambda _, operands: Price(scaled(operands[1].size.traversal, _FORMAT_PATTERN * PATTERN)),
}
