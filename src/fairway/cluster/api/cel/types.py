"""The types of CEL, and when one may stand where another is expected.

The checker gives each part of an expression one of these. Types of objects come from schemas: their fields have
the names that CEL can write (`escaping`), and remember the names that the object has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Type:
    kind: str
    parameters: tuple[Type, ...] = ()
    name: str = ""
    fields: Mapping[str, Field] | None = field(default=None, compare=False, repr=False)
    """What an object has, by the name in CEL; None for everything else."""
    keys: tuple[str, ...] | None = field(default=None, compare=False)
    """For lists that are sets (no keys) or maps (the keys of their items): their order does not count."""

    def __str__(self) -> str:
        if self.kind in ("param", "object", "opaque"):
            return self.name
        if self.parameters:
            return f"{self.kind}({', '.join(map(str, self.parameters))})"
        return self.kind

    @property
    def element(self) -> Type:
        return self.parameters[-1]


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    """As the object spells it."""
    type: Type


DYN = Type("dyn")
BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
NULL = Type("null")
TIMESTAMP = Type("timestamp")
DURATION = Type("duration")
ERROR = Type("error")
_SIMPLE = {one.kind: one for one in (DYN, BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL, TIMESTAMP, DURATION)}
_TAKES_NULL = ("object", "opaque", "timestamp", "duration", "optional_type")


def list_of(element: Type, keys: tuple[str, ...] | None = None) -> Type:
    return Type("list", (element,), keys=keys)


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(inner: Type) -> Type:
    return Type("optional_type", (inner,))


def type_of(inner: Type) -> Type:
    return Type("type", (inner,))


def object_of(name: str, fields: Mapping[str, Field]) -> Type:
    return Type("object", name=name, fields=fields)


def opaque(name: str) -> Type:
    return Type("opaque", name=name)


def parse(text: str) -> Type:
    """The type that a signature names; single capitals are parameters, other capitals are opaque types.

    >>> str(parse("map(string, list(A))"))
    'map(string, list(A))'
    """
    text = text.strip()
    head, bracket, rest = text.partition("(")
    if bracket:
        inner = tuple(map(parse, split_arguments(rest[:-1])))
        return Type(head, inner)
    if text in _SIMPLE:
        return _SIMPLE[text]
    return Type("param", name=text) if len(text) == 1 else opaque(text)


def split_arguments(text: str) -> list[str]:
    """
    >>> split_arguments("map(A, B), A")
    ['map(A, B)', 'A']
    """
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    last = text[start:].strip()
    return [*parts, last] if last else parts


class Bindings:
    """What the parameters of types stand for, as far as it is known."""

    def __init__(self) -> None:
        self._known: dict[str, Type] = {}
        self._order: list[str] = []
        """What was learnt, in its order, so that an attempt can be taken back."""
        self._made = 0

    @property
    def learnt(self) -> int:
        return len(self._order)

    def forget(self, learnt: int) -> None:
        """What was learnt since there were so many."""
        while len(self._order) > learnt:
            del self._known[self._order.pop()]

    def fresh(self) -> Type:
        self._made += 1
        return Type("param", name=f"%{self._made}")

    def renamed(self, type_: Type, names: dict[str, Type]) -> Type:
        """The type with parameters of its own, so that two uses of one function do not meet."""
        if type_.kind == "param":
            if type_.name not in names:
                names[type_.name] = self.fresh()
            return names[type_.name]
        if not type_.parameters:
            return type_
        inner = tuple(self.renamed(one, names) for one in type_.parameters)
        return Type(type_.kind, inner, type_.name, type_.fields, type_.keys)

    def shallow(self, type_: Type) -> Type:
        while type_.kind == "param" and type_.name in self._known:
            type_ = self._known[type_.name]
        return type_

    def resolved(self, type_: Type, *, open_as: Type | None = None) -> Type:
        """The type with all that is known put in; `open_as` takes the place of what is not."""
        type_ = self.shallow(type_)
        if type_.kind == "param":
            return open_as or type_
        if not type_.parameters:
            return type_
        inner = tuple(self.resolved(one, open_as=open_as) for one in type_.parameters)
        return Type(type_.kind, inner, type_.name, type_.fields, type_.keys)

    def assign(self, wanted: Type, given: Type) -> bool:
        """Whether `given` may stand where `wanted` is expected; learns what parameters stand for."""
        wanted, given = self.shallow(wanted), self.shallow(given)
        if wanted is given or (wanted.kind == given.kind == "param" and wanted.name == given.name):
            return True
        if given.kind == "param":
            return self._bind(given, wanted)  # the newer learns from the older, so that no chain grows
        if wanted.kind == "param":
            return self._bind(wanted, given)
        if "dyn" in (wanted.kind, given.kind) or "error" in (wanted.kind, given.kind):
            return True
        if given.kind == "null" or wanted.kind == "null":
            other = wanted if given.kind == "null" else given
            return other.kind == "null" or other.kind in _TAKES_NULL
        if wanted.kind == given.kind == "type":
            return True
        if wanted.kind != given.kind or len(wanted.parameters) != len(given.parameters):
            return False
        if wanted.kind in ("object", "opaque") and wanted.name != given.name:
            return False
        return all(self.assign(one, other) for one, other in zip(wanted.parameters, given.parameters, strict=True))

    def _bind(self, parameter: Type, to: Type) -> bool:
        if self._names(parameter, to):
            return False
        self._known[parameter.name] = to
        self._order.append(parameter.name)
        return True

    def _names(self, parameter: Type, in_: Type) -> bool:
        in_ = self.shallow(in_)
        return in_ == parameter or any(self._names(parameter, one) for one in in_.parameters)
