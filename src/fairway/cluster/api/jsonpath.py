"""The JSONPath of printer columns: fields, indexes, slices, wildcards and filters, as CRDs use them.

    .status.url    .spec.ports[0].port    .metadata.labels.app\\.kubernetes\\.io/name
    .status.conditions[?(@.type=="Ready")].status

Recursive descent (`..`), unions and functions are refused by name: `compile` raises ValueError.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson

Step = Callable[[Any], Iterable[Any]]
Path = Callable[[Any], list[Any]]

_FIELD = re.compile(r"\.((?:\\.|[^.\[\]\\{}\s])+)")
_BRACKET = re.compile(
    r"""\[(?:(?P<index>-?\d+)|(?P<slice>-?\d*:-?\d*)|(?P<all>\*)|'(?P<name>[^']*)'|"(?P<name2>[^"]*)")]"""
)
_FILTER = re.compile(
    r"""\[\?\(\s*@(?P<path>[^=!<>\s)]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>"[^"]*"|'[^']*'|[^\s)]+)\s*)?\)]"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@lru_cache(maxsize=1024)
def compile(text: str) -> Path:
    """What finds the values of `text` in an object.

    >>> ready = compile('.status.conditions[?(@.type=="Ready")].status')
    >>> ready({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    ['True']
    """
    steps = tuple(_steps(text))

    def find(obj: Any) -> list[Any]:
        values = [obj]
        for step in steps:
            values = [found for value in values for found in step(value)]
        return values

    return find


def _steps(text: str) -> Iterator[Step]:
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    rest = rest.removeprefix("$")
    while rest and rest != ".":
        for pattern, make in ((_FIELD, _named), (_BRACKET, _bracketed), (_FILTER, _filtered)):
            match = pattern.match(rest)
            if match:
                yield make(match)
                rest = rest[match.end() :]
                break
        else:
            raise ValueError(f"{text!r} is not a path that a column can have: it is not understood from {rest!r} on")


def _named(match: re.Match[str]) -> Step:
    name = re.sub(r"\\(.)", r"\1", match[1])
    return _members if name == "*" else _field(name)


def _bracketed(match: re.Match[str]) -> Step:
    if match["index"]:
        index = int(match["index"])
        return lambda value: value[index : index + 1 or None] if isinstance(value, list) else ()
    if match["slice"]:
        first, last = (int(part) if part else None for part in match["slice"].split(":"))
        return lambda value: value[first:last] if isinstance(value, list) else ()
    if match["all"]:
        return _members
    return _field(match["name"] if match["name"] is not None else match["name2"])


def _filtered(match: re.Match[str]) -> Step:
    path = compile(match["path"])
    if match["op"] is None:
        return lambda value: [each for each in _members(value) if path(each)]
    compare, wanted = _COMPARE[match["op"]], _literal(match["value"])

    def holds(each: Any) -> bool:
        try:
            return any(compare(found, wanted) for found in path(each))
        except TypeError:  # a number against a text is neither less nor greater
            return False

    return lambda value: [each for each in _members(value) if holds(each)]


def _field(name: str) -> Step:
    return lambda value: (value[name],) if isinstance(value, dict) and value.get(name) is not None else ()


def _members(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else ()


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
