"""What a function is: for each combination of types one overload, with its signature, its work and its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fairway.cluster.api.cel.types import DYN, Type, parse, split_arguments

Work = Callable[..., Any]
Cost = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Overload:
    member: bool
    """Called as `target.name(...)`; the target is then the first of the parameters."""
    parameters: tuple[Type, ...]
    result: Type
    work: Work
    cost: Cost | None = None
    """What it costs beyond one unit, from the arguments; asked before the work is done."""

    def fits(self, kinds: list[str]) -> bool:
        """Whether values of these kinds may be given."""
        if len(kinds) != len(self.parameters):
            return False
        return all(
            one.kind in ("dyn", "param") or one.kind == kind or one.name == kind
            for one, kind in zip(self.parameters, kinds, strict=True)
        )


def overload(signature: str, work: Work, cost: Cost | None = None) -> Overload:
    """
    >>> one = overload("string.(int) list(A)", lambda *_: [])
    >>> one.member, [str(each) for each in one.parameters], str(one.result)
    (True, ['string', 'int'], 'list(A)')
    """
    before, member, rest = signature.partition(".(")
    if not member:
        before, rest = "", signature.partition("(")[2]
    inside, result = _closed(rest)
    parameters = [parse(text) for text in split_arguments(inside)]
    if member:
        parameters.insert(0, parse(before))
    return Overload(bool(member), tuple(parameters), parse(result) if result else DYN, work, cost)


def traversal(*arguments: Any) -> int:
    """A tenth for each element of the first argument: it is walked once."""
    return len(arguments[0]) // 10


def twice(*arguments: Any) -> int:
    return len(arguments[0]) // 5


def dear(units: int, cost: Cost = lambda *_: 0) -> Cost:
    """What takes long however little it is given: `units` beyond the other cost."""
    return lambda *arguments: units + cost(*arguments)


def _closed(rest: str) -> tuple[str, str]:
    """What is before the bracket that closes, and what is after."""
    depth = 1
    for index, character in enumerate(rest):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return rest[:index], rest[index + 1 :].strip()
    raise ValueError(f"a signature that does not end: {rest}")
