"""From what JSON can say to the values that a schema means: numbers, moments, durations and bytes.

Objects stay as they are; their fields are converted when an expression selects them, as it names few of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.types import Type
from fairway.cluster.api.cel.values import Duration, Timestamp

Conversion = Callable[[Any], Any]

_USUAL, _EACH = 40, 10


def conversion(type_: Type) -> Conversion | None:
    """What makes a value of the type from JSON; None where JSON has it already."""
    plain = _PLAIN.get(type_.kind)
    if plain is not None:
        return plain
    if type_.kind in ("list", "map"):
        inner = conversion(type_.element)
        if inner is None:
            return None
        return _of_list(inner) if type_.kind == "list" else _of_map(inner)
    return None


def price(value: Any) -> int:
    """What it costs to convert it each time that it is selected; nothing for a text as short as they are."""
    if value.__class__ is str:
        return max(len(value) - _USUAL, 0)
    if value.__class__ is list:
        return _EACH * len(value) + sum(map(price, value))
    if value.__class__ is dict:
        return _EACH * len(value) + sum(map(price, value.values()))
    return 0


def _of_list(inner: Conversion) -> Conversion:
    return lambda value: [inner(item) for item in value] if isinstance(value, list) else value


def _of_map(inner: Conversion) -> Conversion:
    return lambda value: {key: inner(item) for key, item in value.items()} if isinstance(value, dict) else value


def _double(value: Any) -> Any:
    return float(value) if value.__class__ is int else value


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return Timestamp.parse(value, date_only=True)
    except ValueError as problem:
        raise EvaluationError(str(problem)) from None


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return Duration.parse(value)
    except ValueError as problem:
        raise EvaluationError(str(problem)) from None


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        raise EvaluationError("invalid data, expected bytes in base64") from None


_PLAIN: dict[str, Conversion] = {
    "double": _double,
    "timestamp": _timestamp,
    "duration": _duration,
    "bytes": _bytes,
}
