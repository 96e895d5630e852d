"""The operators that are more than a call: logic, equality, membership, indexes, and optionals that fall back.

`a && b` is false where either is false, though the other has no value; that is why operands run here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from fairway.cluster.api.cel import syntax
from fairway.cluster.api.cel.comparing import Equality, equality
from fairway.cluster.api.cel.failures import EvaluationError, NoSuchOverload
from fairway.cluster.api.cel.frames import Frame, Step
from fairway.cluster.api.cel.library.standard import text_of
from fairway.cluster.api.cel.types import Type
from fairway.cluster.api.cel.values import NONE, Optional, equal, identity, some

_Build = Callable[[list[syntax.Node], list[Step]], Step]
PROBLEM = 5
"""What it costs that a part has no value where the whole goes on."""
_HASHED = ("string", "int", "bool")


def decided(frame: Frame, steps: Iterable[Step], decisive: bool) -> bool:
    """`&&` (False decides), `||` (True decides) and the loops like them.

    The first value that decides ends it; a step without a value counts only where none decides.
    """
    problem: EvaluationError | None = None
    for step in steps:
        try:
            value = step(frame)
        except EvaluationError as raised:
            frame.left -= PROBLEM
            problem = problem or raised
            continue
        if value is decisive:
            return value is True
        if value.__class__ is not bool:
            problem = problem or NoSuchOverload()
    if problem is not None:
        raise problem
    return not decisive


def _junction(decisive: bool) -> _Build:
    return lambda _, steps: lambda frame: decided(frame, steps, decisive)


def _conditional(_: list[syntax.Node], steps: list[Step]) -> Step:
    condition, then, otherwise = steps

    def run(frame: Frame) -> Any:
        value = condition(frame)
        if value is True:
            return then(frame)
        if value is False:
            return otherwise(frame)
        raise NoSuchOverload

    return run


def _same(wanted: bool) -> _Build:
    def build(nodes: list[syntax.Node], steps: list[Step]) -> Step:
        compare = _comparison(nodes[0].type, nodes[1].type)
        left, right = steps
        if compare is operator.eq and nodes[0].type.kind in ("int", "bool", "double", "timestamp", "duration"):

            def short(frame: Frame) -> bool:
                frame.left -= 1
                return (left(frame) == right(frame)) is wanted

            return short

        def run(frame: Frame) -> bool:
            one, other = left(frame), right(frame)
            frame.pay(1 + min(frame.weigh(one), frame.weigh(other)))
            return compare(one, other) is wanted

        return run

    return build


def _comparison(left: Type, right: Type) -> Equality:
    if left.kind == "null" or right.kind == "null":
        return equal
    if left.kind == right.kind == "list" and left.keys is None and right.keys is not None:
        left, right = right, left  # what the schema says of one side holds for both
    if left == right or (left.kind == right.kind and str(left) == str(right)):
        return equality(left)
    return equal


def _membership(nodes: list[syntax.Node], steps: list[Step]) -> Step:
    item, container = steps
    wanted, given = nodes[0].type, nodes[1].type
    exact = wanted.kind in _HASHED and given.kind in ("list", "map") and given.parameters[0].kind == wanted.kind

    def run(frame: Frame) -> bool:
        one, all_ = item(frame), container(frame)
        if all_.__class__ is dict:
            frame.left -= 1
            return _is_key(one) and one in all_
        if all_.__class__ is not list:
            raise NoSuchOverload
        frame.pay(1 + len(all_) * (1 + (0 if exact else frame.weigh(one))))
        return one in all_ if exact else any(equal(one, each) for each in all_)

    return run


def _is_key(value: Any) -> bool:
    return value.__class__ not in (list, dict)


def _index(nodes: list[syntax.Node], steps: list[Step]) -> Step:
    container, key = steps
    chained = nodes[0].type.kind == "optional_type"

    def run(frame: Frame) -> Any:
        frame.left -= 1
        holder = container(frame)
        place = key(frame)
        if chained or holder.__class__ is Optional:
            return _found(holder, place)
        return _at(holder, place)

    return run


def _optional_index(_: list[syntax.Node], steps: list[Step]) -> Step:
    container, key = steps

    def run(frame: Frame) -> Any:
        frame.left -= 1
        return _found(container(frame), key(frame))

    return run


def _found(holder: Any, place: Any) -> Optional:
    if holder.__class__ is Optional:
        if not holder.there:
            return NONE
        holder = holder.value
    if holder.__class__ is dict:
        return some(holder[place]) if _is_key(place) and place in holder else NONE
    if holder.__class__ is list and isinstance(place, int) and place.__class__ is not bool:
        return some(holder[place]) if 0 <= place < len(holder) else NONE
    raise NoSuchOverload


def _at(holder: Any, place: Any) -> Any:
    if holder.__class__ is list:
        if place.__class__ is float and place.is_integer():
            place = int(place)
        if not isinstance(place, int) or place.__class__ is bool:
            raise EvaluationError("unsupported index type in list")
        if not 0 <= place < len(holder):
            raise EvaluationError(f"index out of bounds: {place}")
        return holder[place]
    if holder.__class__ is dict:
        if not _is_key(place) or place not in holder:
            raise EvaluationError(f"no such key: {text_of(place)}")
        return holder[place]
    raise NoSuchOverload


def _sum(nodes: list[syntax.Node], steps: list[Step]) -> Step | None:
    """Lists that are sets or maps are merged, not joined; everything else is a plain call."""
    keys = nodes[0].type.keys if nodes[0].type.kind == "list" else None
    if keys is None:
        return None
    left, right = steps

    def run(frame: Frame) -> Any:
        one, other = left(frame), right(frame)
        frame.pay(1 + len(one) + len(other))
        merged = {identity(item, keys): item for item in one}
        merged.update((identity(item, keys), item) for item in other)
        return list(merged.values())

    return run


def _fallback(taken: Callable[[Optional], Any]) -> _Build:
    """The first, if it has a value, as `taken` has it; or else the second."""

    def build(_: list[syntax.Node], steps: list[Step]) -> Step:
        first, second = steps

        def run(frame: Frame) -> Any:
            frame.left -= 1
            value = first(frame)
            if value.__class__ is not Optional:
                raise NoSuchOverload
            return taken(value) if value.there else second(frame)

        return run

    return build


SPECIAL: dict[str, Callable[[list[syntax.Node], list[Step]], Step | None]] = {
    "_&&_": _junction(False),
    "_||_": _junction(True),
    "_?_:_": _conditional,
    "_==_": _same(True),
    "_!=_": _same(False),
    "@in": _membership,
    "_[_]": _index,
    "_[?_]": _optional_index,
    "_+_": _sum,
    "or": _fallback(lambda value: value),
    "orValue": _fallback(operator.attrgetter("value")),
}
"""What builds an operator; None from it says that it is a plain call after all."""
