"""What an expression is made of, once it is parsed. The checker fills in types and the functions that fit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from fairway.cluster.api.cel.library.overloads import Overload
from fairway.cluster.api.cel.types import DYN, Type


@dataclass(slots=True, eq=False)
class Node:
    at: int
    """Where in the text, for messages."""
    type: Type = dataclasses.field(default=DYN, init=False)


@dataclass(slots=True, eq=False)
class Literal(Node):
    value: Any


@dataclass(slots=True, eq=False)
class Name(Node):
    name: str


@dataclass(slots=True, eq=False)
class Select(Node):
    """`operand.field`; `has(operand.field)` where it tests; `operand.?field` where it is optional."""

    operand: Node
    field: str
    tests: bool = False
    optional: bool = False
    variable: str = dataclasses.field(default="", init=False)
    """A variable whose name has a dot, where the whole is one."""


@dataclass(slots=True, eq=False)
class Call(Node):
    """A function or an operator. `target` is what stands before the dot."""

    function: str
    target: Node | None
    arguments: list[Node]
    overloads: list[Overload] = dataclasses.field(default_factory=list, init=False)


@dataclass(slots=True, eq=False)
class ListLiteral(Node):
    items: list[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Entry:
    at: int
    key: Node
    value: Node
    optional: bool = False


@dataclass(slots=True, eq=False)
class MapLiteral(Node):
    entries: list[Entry]


@dataclass(slots=True, eq=False)
class ObjectLiteral(Node):
    """`Name{field: value}`: an object of a type that has a name."""

    name: str
    fields: list[tuple[int, str, Node, bool]]


@dataclass(slots=True, eq=False)
class Macro(Node):
    """A function that binds names for each element: `all`, `map`, `sortBy`, `optMap` and their kin."""

    name: str
    target: Node
    variables: list[str]
    bodies: list[Node]
