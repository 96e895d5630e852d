"""Conditions: paths in gjson's syntax, and whether they lead somewhere in a document. Pure.

Understood, exactly as gjson reads it:

- keys and indexes with dots between, `a.b.0`; a backslash before a sign that is meant literally;
- `*` and `?` in keys, for the first key that fits;
- `#` for the length of an array, `#.a` for a value of each of its objects;
- queries, `#(a.b==1)` for the first of an array that fits and `#(...)#` for all, with the comparisons `== = != < <= >
  >=`, `%` (is like a pattern) and `!%`, or none (is there); queries inside of queries;
- `@this`, and `[path,path]`, an array of what paths lead to.

The rest is refused by name: other modifiers, `|`, `{...}`, `!` literals, `~` comparisons and `..` lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairway.serving.graphs.router import patterns

_OPERATORS = ("==", "!=", "<=", ">=", "!%", "=", "<", ">", "%")
_MISSING = object()
_MOST_PARTS = 100


class Unreadable(Exception):
    """A path that is not understood; the text says what of it, without a full stop."""


@dataclass(frozen=True, slots=True)
class _Key:
    pattern: str
    wild: bool


@dataclass(frozen=True, slots=True)
class _Count:
    """`#`: the length where it is last, else each element."""


@dataclass(frozen=True, slots=True)
class _Query:
    path: Path
    operator: str
    value: str
    every: bool


@dataclass(frozen=True, slots=True)
class _Several:
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _This:
    pass


_Part = _Key | _Count | _Query | _Several | _This


@dataclass(frozen=True, slots=True)
class Path:
    parts: tuple[_Part, ...]

    def leads_somewhere(self, document: Any) -> bool:
        return bool(self.parts) and _get(document, self.parts) is not _MISSING


def parse(text: str) -> Path:
    """Raises Unreadable.

    >>> parse('instances.#(strval%*red*)').leads_somewhere({"instances": [{"strval": "a red one"}]})
    True
    """
    try:
        parts = tuple(_parts(text))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    if len(parts) > _MOST_PARTS:
        raise Unreadable(f"it has more than {_MOST_PARTS} parts")
    return Path(parts)


def _parts(text: str) -> Iterator[_Part]:
    position = 0
    while position < len(text):
        part, position = _part(text, position)
        yield part
        if position == len(text):
            return
        if text[position] == "|":
            raise Unreadable("it has a |, which is not understood here: write a dot, or two steps")
        if text[position] != ".":
            raise Unreadable(f"a dot is missing before {text[position:]!r}")
        position += 1
        if position == len(text):
            raise Unreadable("it ends with a dot")


def _part(text: str, start: int) -> tuple[_Part, int]:
    sign = text[start]
    if sign == ".":
        raise Unreadable("it has .. or begins with a dot, which reads lines of JSON and is not understood here")
    if sign == "{" or (sign == "!" and start == 0):
        raise Unreadable(f"it has {sign}, which makes new values and is not understood here")
    if sign == "[":
        end = _closing(text, start, "[", "]")
        return _Several(tuple(map(parse, _split(text[start + 1 : end])))), end + 1
    if sign == "@":
        end = _end_of_key(text, start)
        if text[start:end] != "@this":
            raise Unreadable(f"the modifier {text[start:end]} is not understood here: only @this is")
        return _This(), end
    if sign == "#":
        return _hash(text, start)
    end = _end_of_key(text, start)
    raw = text[start:end]
    wild = bool(re.search(r"(?<!\\)[*?]", raw))
    return _Key(raw if wild else re.sub(r"\\(.)", r"\1", raw), wild), end


def _hash(text: str, start: int) -> tuple[_Part, int]:
    following = text[start + 1 : start + 2]
    if following not in ("(", "["):
        end = _end_of_key(text, start)
        if end != start + 1:
            raise Unreadable(f"{text[start:end]!r} is neither # nor a query")
        return _Count(), end
    end = _closing(text, start + 1, following, {"(": ")", "[": "]"}[following])
    query = _query(text[start + 2 : end])
    end += 1
    if text[end : end + 1] == "#":
        return _Query(query.path, query.operator, query.value, every=True), end + 1
    return query, end


def _query(text: str) -> _Query:
    """What is between the parentheses: a path, a comparison, a value."""
    at, operator = _operator(text)
    path, value = text[:at].strip(), text[at + len(operator) :].strip()
    if value.startswith("~"):
        raise Unreadable("it has a ~ comparison, which is not understood here")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    operator = "=" if operator == "==" else operator
    return _Query(parse(path) if path else Path((_This(),)), operator, value, every=False)


def _operator(text: str) -> tuple[int, str]:
    """Where the comparison is, outside of inner queries; at the end where there is none."""
    depth = position = 0
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 2
            continue
        depth += (sign in "([") - (sign in ")]")
        if not depth:
            for operator in _OPERATORS:
                if text.startswith(operator, position):
                    return position, operator
        position += 1
    return len(text), ""


def _closing(text: str, start: int, opening: str, closing: str) -> int:
    depth, position, quoted = 0, start, False
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 1
        elif sign == '"':
            quoted = not quoted
        elif not quoted:
            depth += (sign == opening) - (sign == closing)
            if not depth:
                return position
        position += 1
    raise Unreadable(f"a {opening} is never closed")


def _split(text: str) -> list[str]:
    """At commas that are in no parentheses."""
    found, depth, start = [], 0, 0
    for position, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            found.append(text[start:position])
            start = position + 1
    return [*found, text[start:]]


def _end_of_key(text: str, start: int) -> int:
    position = start
    while position < len(text) and text[position] not in ".|":
        position += 2 if text[position] == "\\" else 1
    return min(position, len(text))


# Reading documents


def _get(value: Any, parts: tuple[_Part, ...]) -> Any:
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    match part:
        case _This():
            return _get(value, rest)
        case _Several():
            return _get([found for path in part.paths if (found := _get(value, path.parts)) is not _MISSING], rest)
        case _Key():
            found = _child(value, part)
            return _MISSING if found is _MISSING else _get(found, rest)
    if not isinstance(value, list):
        return _MISSING
    if isinstance(part, _Count):
        return _each(value, rest) if rest else len(value)
    fitting = [one for one in value if _fits(part, one)]
    if part.every:
        return _each(fitting, rest) if rest else fitting
    return _get(fitting[0], rest) if fitting else _MISSING


def _each(values: list[Any], rest: tuple[_Part, ...]) -> list[Any]:
    return [found for one in values if (found := _get(one, rest)) is not _MISSING]


def _child(value: Any, key: _Key) -> Any:
    if isinstance(value, dict):
        if key.wild:
            return next((value[name] for name in value if patterns.fits(name, key.pattern)), _MISSING)
        return value.get(key.pattern, _MISSING)
    if isinstance(value, list) and key.pattern.isascii() and key.pattern.isdigit():
        index = int(key.pattern)
        return value[index] if index < len(value) else _MISSING
    return _MISSING


def _fits(query: _Query, element: Any) -> bool:
    value = _get(element, query.path.parts)
    if value is _MISSING:
        return False
    if not query.operator:
        return True
    if isinstance(value, bool):
        return _truth_compared(query.operator, value, query.value)
    if isinstance(value, str):
        if query.operator in ("%", "!%"):
            return patterns.fits(value, query.value) == (query.operator == "%")
        return _compared(query.operator, value, query.value)
    if isinstance(value, int | float):
        return _compared(query.operator, value, _number(query.value))
    return False


def _truth_compared(operator: str, value: bool, text: str) -> bool:
    """As gjson does it: what is neither true nor false is unequal to both, and a bound that always holds holds."""
    same, other = ("true", "false") if value else ("false", "true")
    match operator:
        case "=":
            return text == same
        case "!=":
            return text != same
        case ">" | "<":
            return text == other and value == (operator == ">")
    return value if operator == ">=" else not value and operator == "<="


def _compared(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "=":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
    return False


def _number(text: str) -> float:
    """As gjson reads it: what is no number is zero."""
    try:
        return float(text)
    except ValueError:
        return 0.0
