"""The macros: calls that bind names of their own, known by name, place and number of arguments."""

from __future__ import annotations

from fairway.cluster.api.cel.syntax import Macro, Name, Node, Select

_BINDING: dict[tuple[str, int], tuple[int, str]] = {
    # (name, arguments): how many of them are names, and what the macro is then called
    ("all", 2): (1, "all"),
    ("exists", 2): (1, "exists"),
    ("exists_one", 2): (1, "exists_one"),
    ("existsOne", 2): (1, "exists_one"),
    ("map", 2): (1, "map"),
    ("map", 3): (1, "map"),
    ("filter", 2): (1, "filter"),
    ("sortBy", 2): (1, "sortBy"),
    ("optMap", 2): (1, "optMap"),
    ("optFlatMap", 2): (1, "optFlatMap"),
    ("all", 3): (2, "all"),
    ("exists", 3): (2, "exists"),
    ("existsOne", 3): (2, "exists_one"),
    ("transformList", 3): (2, "transformList"),
    ("transformList", 4): (2, "transformList"),
    ("transformMap", 3): (2, "transformMap"),
    ("transformMap", 4): (2, "transformMap"),
    ("transformMapEntry", 3): (2, "transformMapEntry"),
    ("transformMapEntry", 4): (2, "transformMapEntry"),
}


class Misused(Exception):
    def __init__(self, at: int, message: str) -> None:
        self.at = at
        super().__init__(message)


def expanded(at: int, name: str, target: Node | None, arguments: list[Node]) -> Node | None:
    """The macro that a call is, or None where it is a plain call. Raises Misused."""
    if target is None:
        return _has(at, arguments) if name == "has" and len(arguments) == 1 else None
    found = _BINDING.get((name, len(arguments)))
    if found is None:
        return None
    count, known = found
    variables = []
    for argument in arguments[:count]:
        if not isinstance(argument, Name):
            raise Misused(argument.at, "argument must be a simple name")
        if argument.name == "__result__" or argument.name in variables:
            raise Misused(
                argument.at, f"iteration variable overwrites accumulator variable or another: {argument.name}"
            )
        variables.append(argument.name)
    return Macro(at, known, target, variables, arguments[count:])


def _has(at: int, arguments: list[Node]) -> Node:
    inner = arguments[0]
    if not isinstance(inner, Select) or inner.tests:
        raise Misused(inner.at, "invalid argument to has() macro")
    return Select(at, inner.operand, inner.field, tests=True, optional=inner.optional)
