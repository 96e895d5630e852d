"""Conditions and selectors: the part of CEL that pipelines are compiled to, evaluated exactly.

    inputs.parameter_values['x'] == 'heads' && !(int(inputs.parameter_values['n']) < 5)
    parseJson(string_value)["a"]

Equality of different types is false, as in CEL; ordering different types is an error. Everything else of CEL is
refused by name when the pipeline is loaded.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from fairway.pipelines.ir.model import Value
from fairway.pipelines.ir.values import read_json, text


class ExpressionError(Exception):
    """The expression is not understood, or has no value for these inputs."""


Evaluate = Callable[[Mapping[str, Value]], Value]
"""From variables (`inputs`, `string_value`) to the value."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\d+)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\].\-,])
    )""",
    re.VERBOSE,
)
_DEEPEST = 50
"""Levels of one expression inside each other: each is read by some calls inside each other, and evaluated by some."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_ORDERINGS: dict[str, Callable[[Value, Value], bool]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@functools.lru_cache(maxsize=4096)
def compiled(source: str) -> Evaluate:
    """Raises ExpressionError where the text is not in our part of CEL."""
    parser = _Parser(source, _tokens(source))
    result = parser.either()
    if parser.position < len(parser.tokens):
        parser.refuse(parser.tokens[parser.position].text)
    return result


def holds(condition: str, parameters: Mapping[str, Value]) -> bool:
    """Whether a trigger condition is true for these inputs of the task."""
    value = compiled(condition)({"inputs": {"parameter_values": parameters}})
    if not isinstance(value, bool):
        raise ExpressionError(f"the condition {condition!r} is {text(value)}, which is neither true nor false")
    return value


def selected(selector: str, value: Value) -> Value:
    """The part of a value that a parameterExpressionSelector names."""
    return compiled(selector)({"string_value": text(value)})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(source: str) -> list[_Token]:
    found: list[_Token] = []
    at, end = 0, len(source.rstrip())
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None:
            raise ExpressionError(f"{source!r} has {source[at:].strip()[:1]!r}, which is not supported in conditions")
        found.append(_Token(str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


class _Parser:
    """Recursive descent; each method gives the evaluation of what it read."""

    def __init__(self, source: str, tokens: list[_Token]) -> None:
        self.source, self.tokens, self.position, self.depth = source, tokens, 0, 0

    def either(self) -> Evaluate:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return _joined(any, parts)

    def _both(self) -> Evaluate:
        parts = [self._comparison()]
        while self._take("&&"):
            parts.append(self._comparison())
        return _joined(all, parts)

    def _comparison(self) -> Evaluate:
        left = self._negation()
        for sign in ("==", "!=", *_ORDERINGS):
            if self._take(sign):
                return _compare(sign, left, self._negation())
        return left

    def _negation(self) -> Evaluate:
        if self._take("!"):
            inner = self._deeper(self._negation)
            return lambda variables: not _boolean(inner(variables))
        if self._take("-"):
            number = self._deeper(self._negation)
            return lambda variables: -_number(number(variables))
        return self._member()

    def _member(self) -> Evaluate:
        value, before = self._primary(), self.depth
        while True:
            if self._peek("[") or self._peek("."):
                self._descend()
            if self._take("["):
                value = _item(value, self._deeper(self.either))
                self._expect("]")
            elif self._take("."):
                name = self._next()
                if name.kind != "name" or self._peek("("):
                    self.refuse(f".{name.text}")
                value = _item(value, _literal(name.text))
            else:
                self.depth = before
                return value

    def _primary(self) -> Evaluate:
        if self._take("("):
            inner = self._deeper(self.either)
            self._expect(")")
            return inner
        token = self._next()
        if token.kind == "number":
            return _literal(float(token.text) if "." in token.text else int(token.text))
        if token.kind == "text":
            return _literal(_unquoted(token.text))
        if token.kind != "name":
            self.refuse(token.text)
        return self._named(token.text)

    def _named(self, name: str) -> Evaluate:
        if name in _WORDS:
            return _literal(_WORDS[name])
        if self._take("("):
            if name not in _FUNCTIONS:
                self.refuse(f"{name}()")
            argument, function = self._deeper(self.either), _FUNCTIONS[name]
            self._expect(")")
            return lambda variables: function(argument(variables))
        if name not in ("inputs", "string_value"):
            self.refuse(name)
        return lambda variables: variables[name]

    def _deeper(self, read: Callable[[], Evaluate]) -> Evaluate:
        self._descend()
        found = read()
        self.depth -= 1
        return found

    def _descend(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ExpressionError(f"{self.source[:60]!r}... is nested more than {_DEEPEST} levels deep")

    def _next(self) -> _Token:
        if self.position == len(self.tokens):
            raise ExpressionError(f"{self.source!r} ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def _peek(self, sign: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position] == _Token("sign", sign)

    def _take(self, sign: str) -> bool:
        found = self._peek(sign)
        self.position += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ExpressionError(f"{self.source!r} lacks a {sign!r}")

    def refuse(self, what: str) -> NoReturn:
        raise ExpressionError(
            f"{self.source!r} uses {what!r}, which is not supported; conditions may compare inputs with ==, !=, <, <=, "
            "> and >=, join with &&, || and !, and call int(), double(), string(), bool() and parseJson()"
        )


def _literal(value: Value) -> Evaluate:
    return lambda variables: value


def _joined(join: Callable[[Iterable[bool]], bool], parts: Sequence[Evaluate]) -> Evaluate:
    """By `any` or `all`: what decides is the first that does, and nothing after it is looked at."""
    if len(parts) == 1:
        return parts[0]
    return lambda variables: join(_boolean(part(variables)) for part in parts)


def _compare(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    if sign in ("==", "!="):
        return lambda variables: _equal(left(variables), right(variables)) is (sign == "==")
    order = _ORDERINGS[sign]

    def ordered(variables: Mapping[str, Value]) -> bool:
        a, b = left(variables), right(variables)
        if _order_kind(a) is None or _order_kind(a) != _order_kind(b):
            raise ExpressionError(f"{text(a)} {sign} {text(b)} compares different types; use int() or double()")
        return order(a, b)

    return ordered


def _equal(a: Value, b: Value) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b)


def _order_kind(value: Value) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def _item(container: Evaluate, index: Evaluate) -> Evaluate:
    def taken(variables: Mapping[str, Value]) -> Value:
        inside, key = container(variables), index(variables)
        if isinstance(inside, Mapping) and isinstance(key, str):
            if key not in inside:
                raise ExpressionError(f"there is no {key!r} among {', '.join(sorted(inside)) or 'nothing'}")
            return inside[key]
        if isinstance(inside, list) and isinstance(key, int) and not isinstance(key, bool):
            if not 0 <= key < len(inside):
                raise ExpressionError(f"there is no item {key} in a list of {len(inside)}")
            return inside[key]
        raise ExpressionError(f"{text(inside)} has no item {text(key)}")

    return taken


def _boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"{text(value)} is neither true nor false")
    return value


def _number(value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"{text(value)} is not a number")
    return value


def _int(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ExpressionError(f"int({text(value)}) has no value")
    try:
        return int(value)
    except (ValueError, OverflowError):
        raise ExpressionError(f"int({text(value)}) has no value") from None


def _double(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ExpressionError(f"double({text(value)}) has no value")
    try:
        return float(value)
    except ValueError:
        raise ExpressionError(f"double({text(value)}) has no value") from None


def _bool(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "t", "1"):
        return True
    if value in ("false", "False", "FALSE", "f", "0"):
        return False
    raise ExpressionError(f"bool({text(value)}) has no value")


def _parse_json(value: Value) -> Value:
    if not isinstance(value, str):
        raise ExpressionError(f"parseJson({text(value)}) needs a text")
    try:
        return read_json(value)
    except ValueError:
        raise ExpressionError(f"parseJson({value!r}) has no value, because the text is not JSON") from None


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token[1:-1])


_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "int": _int,
    "double": _double,
    "string": text,
    "bool": _bool,
    "parseJson": _parse_json,
}
