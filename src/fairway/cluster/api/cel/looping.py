"""The macros, built: each walks a list or a map, and pays for every turn, so that no loop outlives its budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError, NoSuchOverload
from fairway.cluster.api.cel.frames import Frame, Step
from fairway.cluster.api.cel.library.lists import comparable
from fairway.cluster.api.cel.library.standard import text_of
from fairway.cluster.api.cel.operators import decided
from fairway.cluster.api.cel.values import NONE, Optional, some

_TURN = 3
"""What a turn costs beyond its body: the condition of the loop and the step."""
_ADDING = 11
"""What a turn costs where it adds to a list: upstream makes a list of one and joins it."""

Build = Callable[[Step, list[int], list[Step]], Step]


def _turns(frame: Frame, range_: Any, places: list[int], cost: int) -> Iterator[Any]:
    """Each element in turn, put where the body finds it."""
    values = frame.values
    pairs: Iterator[tuple[Any, Any]] | None
    if range_.__class__ is list:
        pairs = enumerate(range_) if len(places) == 2 else None
    elif range_.__class__ is dict:
        pairs = iter(range_.items()) if len(places) == 2 else None
    else:
        raise NoSuchOverload
    if pairs is None:
        (place,) = places
        for item in range_:
            frame.pay(cost)
            values[place] = item
            yield item
        return
    first, second = places
    for key, value in pairs:
        frame.pay(cost)
        values[first], values[second] = key, value
        yield key


def _quantified(decisive: bool) -> Build:
    """`all` ends with the first false, `exists` with the first true; an element without a value counts at the end."""

    def build(target: Step, places: list[int], bodies: list[Step]) -> Step:
        (body,) = bodies

        def run(frame: Frame) -> bool:
            return decided(frame, (body for _ in _turns(frame, target(frame), places, _TURN)), decisive)

        return run

    return build


def _exists_one(target: Step, places: list[int], bodies: list[Step]) -> Step:
    (body,) = bodies

    def run(frame: Frame) -> bool:
        return sum(_true(body(frame)) for _ in _turns(frame, target(frame), places, _TURN)) == 1

    return run


def _true(value: Any) -> bool:
    if value.__class__ is not bool:
        raise NoSuchOverload
    return bool(value)


def _filter(target: Step, places: list[int], bodies: list[Step]) -> Step:
    (body,) = bodies

    def run(frame: Frame) -> list[Any]:
        return [item for item in _turns(frame, target(frame), places, _TURN) if _true(body(frame))]

    return run


def _listing(target: Step, places: list[int], bodies: list[Step]) -> Step:
    *conditions, body = bodies

    def run(frame: Frame) -> list[Any]:
        turns = _turns(frame, target(frame), places, _TURN + _ADDING)
        return [body(frame) for _ in turns if not conditions or _true(conditions[0](frame))]

    return run


def _mapping(target: Step, places: list[int], bodies: list[Step]) -> Step:
    *conditions, body = bodies

    def run(frame: Frame) -> dict[Any, Any]:
        turns = _turns(frame, target(frame), places, _TURN + _ADDING)
        return {key: body(frame) for key in turns if not conditions or _true(conditions[0](frame))}

    return run


def _entries(target: Step, places: list[int], bodies: list[Step]) -> Step:
    *conditions, body = bodies

    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in _turns(frame, target(frame), places, _TURN + _ADDING):
            if conditions and not _true(conditions[0](frame)):
                continue
            entry = body(frame)
            if entry.__class__ is not dict:
                raise NoSuchOverload
            for key, value in entry.items():
                if key in made:
                    raise EvaluationError(f"insert failed: key {text_of(key)} already exists")
                made[key] = value
        return made

    return run


def _sorted(target: Step, places: list[int], bodies: list[Step]) -> Step:
    (body,) = bodies

    def run(frame: Frame) -> list[Any]:
        range_ = target(frame)
        if range_.__class__ is not list:
            raise NoSuchOverload
        keys = [body(frame) for _ in _turns(frame, range_, places, _TURN + _ADDING)]
        comparable(keys)
        frame.pay(len(keys) * len(keys).bit_length())
        return [range_[index] for index in sorted(range(len(keys)), key=keys.__getitem__)]

    return run


def _optional(*, flat: bool) -> Build:
    def build(target: Step, places: list[int], bodies: list[Step]) -> Step:
        (body,) = bodies

        def run(frame: Frame) -> Optional:
            frame.pay(1)
            value = target(frame)
            if value.__class__ is not Optional:
                raise NoSuchOverload
            if not value.there:
                return NONE
            frame.values[places[0]] = value.value
            made = body(frame)
            if flat and made.__class__ is not Optional:
                raise NoSuchOverload
            return made if flat else some(made)

        return run

    return build


MACROS: dict[str, Build] = {
    "all": _quantified(False),
    "exists": _quantified(True),
    "exists_one": _exists_one,
    "filter": _filter,
    "map": _listing,
    "transformList": _listing,
    "transformMap": _mapping,
    "transformMapEntry": _entries,
    "sortBy": _sorted,
    "optMap": _optional(flat=False),
    "optFlatMap": _optional(flat=True),
}
