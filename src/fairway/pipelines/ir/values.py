"""Values of parameters: numbers as people write them, fitted to declared types, and as text.

JSON from the wire has one kind of number; upstream prints whole ones without `.0`, and user code parses them as
integers, so whole floats become integers at every door (`plain`).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from fairway.pipelines.ir.model import ParameterType, Value

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
LONGEST_TIME = 100 * 366 * 86400.0
"""Seconds: a moment so much later still has a date."""
DEEPEST = 100
"""Levels of lists and structs in one value; the API takes no more either."""
_KINDS = {str: "the string", int: "the number", float: "the number", list: "the list", dict: "the struct"}
EXPECTED = {
    ParameterType.STRING: "a string",
    ParameterType.INTEGER: "an integer",
    ParameterType.DOUBLE: "a number",
    ParameterType.BOOLEAN: "a boolean",
    ParameterType.LIST: "a list",
    ParameterType.STRUCT: "a struct",
    ParameterType.FINAL_STATUS: "a struct",
    ParameterType.TASK_CONFIG: "a struct",
}


class WrongType(Exception):
    """A value does not fit a declared type. The text says which was expected and which came."""


def plain(value: Any) -> Value:
    """The value with whole floats as integers, at any depth. Those that no 64 bits hold are floats, as they are on the
    wire: nothing that keeps values keeps larger integers.

    >>> plain({"a": [1.0, 2.5, 1e30, 10**30]})
    {'a': [1, 2.5, 1e+30, 1e+30]}
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def read_json(written: str) -> Value:
    """A value that somebody wrote down. Raises ValueError for what is not JSON, or cannot be kept."""
    try:
        value = json.loads(written)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not shallow(value):
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no character
    return plain(value)


def shallow(value: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and structs are no deeper inside each other than what looks at all of them can bear."""
    if not levels:
        return False
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(shallow(each, levels - 1) for each in inside if isinstance(each, dict | list))


def fitted(value: Value, type_: ParameterType) -> Value:
    """The value as a parameter of this type gets it. Anything fits a STRING, as JSON text; nothing else changes."""
    if type_ is ParameterType.STRING:
        return text(value)
    if not _fits(value, type_):
        raise WrongType(f"expected {EXPECTED[type_]}, got {_kind(value)} {_short(value)}")
    return value


def parsed(content: str, type_: ParameterType) -> Value:
    """What a container wrote to an output file, read by the declared type."""
    if type_ is ParameterType.STRING:
        return content
    try:
        value = read_json(content)
    except ValueError:
        value = content
    if type_ is ParameterType.BOOLEAN and isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return fitted(value, type_)


def text(value: Value) -> str:
    """A string as it is, everything else as compact JSON.

    >>> text(True), text(3), text([1, "a"]), text(1e22)
    ('true', '3', '[1,"a"]', '10000000000000000000000')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def duration(written: str) -> float:
    """Seconds, from a time as people write it. Raises ValueError with a sentence.

    >>> duration("90"), duration("15m"), duration("7d")
    (90.0, 900.0, 604800.0)
    """
    match = _DURATION.fullmatch(written)
    if match is None:
        raise ValueError(f"{written!r} is not a time such as 90, 90s, 15m, 6h or 7d")
    seconds = float(match["number"]) * _UNITS[match["unit"]]
    if seconds > LONGEST_TIME:
        raise ValueError(f"{written[:20]!r} is more than a hundred years")
    return seconds


def _number(value: float) -> int | float:
    if isinstance(value, float) and not value.is_integer():
        return value
    if _LEAST <= value <= _MOST:
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _fits(value: Value, type_: ParameterType) -> bool:
    if type_ in (ParameterType.INTEGER, ParameterType.DOUBLE):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if type_ is ParameterType.BOOLEAN:
        return isinstance(value, bool)
    if type_ is ParameterType.LIST:
        return isinstance(value, list)
    return isinstance(value, dict)


def _kind(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "the boolean"
    return {str: "the string", int: "the number", float: "the number", list: "the list", dict: "the struct"}[
        type(value)
    ]


def _short(value: Value) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
