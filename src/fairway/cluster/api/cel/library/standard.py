"""The operators and functions of the language itself."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from fairway.cluster.api.cel import types
from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, dear, overload, traversal
from fairway.cluster.api.cel.values import Duration, Timestamp, UInt, kind_of

_INT_LEAST, _INT_MOST, _UINT_MOST = -(2**63), 2**63 - 1, 2**64 - 1
_NUMBERS = ("int", "uint", "double")
_ORDERED = ("bool", "string", "bytes", "timestamp", "duration")
_READ, _CALENDAR, _NUMBER_READ = 15, 8, 4
"""What it costs to read a moment or a duration, to look into the calendar, and to read a number."""
_LONGEST_MOMENT = 40
_SHOWN = {"int": 0, "uint": 0, "bool": 0, "double": 8, "timestamp": 20, "duration": 8}
"""What it costs to write a value as text."""
_TIME_ZONE = re.compile(r"([+-]?)(\d\d):(\d\d)")
TYPES = {
    name: getattr(types, constant)
    for name, constant in (
        ("bool", "BOOL"),
        ("int", "INT"),
        ("uint", "UINT"),
        ("double", "DOUBLE"),
        ("string", "STRING"),
        ("bytes", "BYTES"),
        ("null_type", "NULL"),
        ("google.protobuf.Timestamp", "TIMESTAMP"),
        ("google.protobuf.Duration", "DURATION"),
    )
} | {
    "list": types.list_of(types.DYN),
    "map": types.map_of(types.DYN, types.DYN),
    "type": types.type_of(types.DYN),
    "optional_type": types.optional_of(types.DYN),
    "net.IP": types.opaque("IP"),
    "net.CIDR": types.opaque("CIDR"),
    "kubernetes.Quantity": types.opaque("Quantity"),
    "kubernetes.URL": types.opaque("URL"),
    "kubernetes.Semver": types.opaque("Semver"),
}
"""The names of types, which are values too."""


def functions() -> Mapping[str, list[Overload]]:
    return {
        "!_": [overload("(bool) bool", operator.not_)],
        "-_": [
            overload("(int) int", lambda value: _int(-value)),
            overload("(double) double", operator.neg),
            overload("(duration) duration", lambda value: Duration(-value.nanoseconds)),
        ],
        "_?_:_": [overload("(bool, A, A) A", _never)],
        "_&&_": [overload("(bool, bool) bool", _never)],
        "_||_": [overload("(bool, bool) bool", _never)],
        "_==_": [overload("(A, A) bool", _never)],
        "_!=_": [overload("(A, A) bool", _never)],
        "@in": [overload("(A, list(A)) bool", _never), overload("(A, map(A, B)) bool", _never)],
        "_[_]": [overload("(list(A), int) A", _never), overload("(map(A, B), A) B", _never)],
        **{f"_{mark}_": _comparison(work) for mark, work in _COMPARISONS.items()},
        **_arithmetic(),
        **_conversions(),
        **_texts(),
        **_times(),
        "size": [
            overload(f"{form}", _size, None)
            for kind in ("string", "bytes", "list(A)", "map(A, B)")
            for form in (f"({kind}) int", f"{kind}.() int")
        ],
        "type": [overload("(A) type(A)", type_of_value)],
        "dyn": [overload("(A) dyn", lambda value: value)],
    }


def _never(*_: Any) -> Any:
    raise AssertionError("the operator is built, not called")


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparison(work: Callable[[Any, Any], bool]) -> list[Overload]:
    same = [
        overload(f"({kind}, {kind}) bool", work, _shorter if kind in ("string", "bytes") else None) for kind in _ORDERED
    ]
    numbers = [overload(f"({one}, {other}) bool", work) for one in _NUMBERS for other in _NUMBERS]
    return numbers + same


def _shorter(left: Any, right: Any) -> int:
    return min(len(left), len(right)) // 10


def _both(left: Any, right: Any) -> int:
    return (len(left) + len(right)) // 10


def _int(value: int) -> int:
    if not _INT_LEAST <= value <= _INT_MOST:
        raise EvaluationError("integer overflow")
    return value


def _uint(value: int) -> UInt:
    if not 0 <= value <= _UINT_MOST:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def _divided(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    return int(math.copysign(1, left)) * (abs(left) % abs(right))


def _quotient(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _arithmetic() -> dict[str, list[Overload]]:
    def numbers(whole: Callable[[int, int], int], broken: Callable[[float, float], float] | None) -> list[Overload]:
        found = [
            overload("(int, int) int", lambda left, right: _int(whole(left, right))),
            overload("(uint, uint) uint", lambda left, right: _uint(whole(left, right))),
        ]
        return [*found, overload("(double, double) double", broken)] if broken else found

    return {
        "_+_": [
            *numbers(operator.add, operator.add),
            overload("(string, string) string", operator.add, _both),
            overload("(bytes, bytes) bytes", operator.add, _both),
            overload("(list(A), list(A)) list(A)", operator.add, lambda left, right: (len(left) + len(right)) // 20),
            overload("(duration, duration) duration", lambda one, other: Duration(one.nanoseconds + other.nanoseconds)),
            overload("(timestamp, duration) timestamp", _later),
            overload("(duration, timestamp) timestamp", lambda by, moment: _later(moment, by)),
        ],
        "_-_": [
            *numbers(operator.sub, operator.sub),
            overload("(duration, duration) duration", lambda one, other: Duration(one.nanoseconds - other.nanoseconds)),
            overload(
                "(timestamp, timestamp) duration", lambda one, other: Duration(one.nanoseconds - other.nanoseconds)
            ),
            overload("(timestamp, duration) timestamp", lambda moment, by: _later(moment, Duration(-by.nanoseconds))),
        ],
        "_*_": numbers(operator.mul, operator.mul),
        "_/_": numbers(_divided, _quotient),
        "_%_": numbers(_remainder, None),
    }


def _later(moment: Timestamp, by: Duration) -> Timestamp:
    return Timestamp(moment.nanoseconds + by.nanoseconds, moment.offset)


def _conversions() -> dict[str, list[Overload]]:
    return {
        "int": [
            overload("(int) int", _same),
            overload("(uint) int", lambda value: _int(int(value))),
            overload("(double) int", _truncated),
            overload("(string) int", _parsed_int, dear(_NUMBER_READ)),
            overload("(timestamp) int", lambda value: value.nanoseconds // 10**9),
            overload("(duration) int", lambda value: value.nanoseconds),
        ],
        "uint": [
            overload("(uint) uint", _same),
            overload("(int) uint", _uint),
            overload("(double) uint", lambda value: _uint(int(_truncated_within(value, _UINT_MOST + 1)))),
            overload("(string) uint", lambda value: _uint(_parsed_int(value, 0, _UINT_MOST))),
        ],
        "double": [
            overload("(double) double", _same),
            overload("(int) double", float),
            overload("(uint) double", float),
            overload("(string) double", _parsed_double, dear(_NUMBER_READ, traversal)),
        ],
        "string": [
            overload("(string) string", _same),
            *[
                overload(f"({kind}) string", text_of, dear(_SHOWN[kind]))
                for kind in (*_NUMBERS, "bool", "timestamp", "duration")
            ],
            overload("(bytes) string", _decoded, traversal),
        ],
        "bytes": [overload("(bytes) bytes", _same), overload("(string) bytes", str.encode, traversal)],
        "bool": [overload("(bool) bool", _same), overload("(string) bool", _parsed_bool)],
        "timestamp": [
            overload("(timestamp) timestamp", _same),
            overload("(string) timestamp", parsed_timestamp, dear(_READ, _beyond_usual)),
            overload("(int) timestamp", lambda value: Timestamp(value * 10**9)),
        ],
        "duration": [
            overload("(duration) duration", _same),
            overload("(string) duration", parsed_duration, dear(_READ, _beyond_usual)),
            overload("(int) duration", Duration),
        ],
    }


def _beyond_usual(text: str) -> int:
    """A moment or a duration is short; what is longer than any is walked, too."""
    return max(len(text) - _LONGEST_MOMENT, 0)


def _same(value: Any) -> Any:
    return value


def _truncated_within(value: float, beyond: int) -> float:
    if math.isnan(value) or not -beyond < value < beyond:
        raise EvaluationError("integer overflow")
    return value


def _truncated(value: float) -> int:
    return int(_truncated_within(value, _INT_MOST + 1))


def _parsed_int(text: str, least: int = _INT_LEAST, most: int = _INT_MOST) -> int:
    if not re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII) or not least <= int(text) <= most:
        raise EvaluationError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _parsed_double(text: str) -> float:
    try:
        if "_" not in text and text == text.strip():
            return float(text)
    except ValueError:
        pass
    raise EvaluationError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')


def _parsed_bool(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise EvaluationError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parsed_timestamp(text: str) -> Timestamp:
    try:
        return Timestamp.parse(text)
    except ValueError as problem:
        raise EvaluationError(str(problem)) from None


def parsed_duration(text: str) -> Duration:
    try:
        return Duration.parse(text)
    except ValueError as problem:
        raise EvaluationError(str(problem)) from None


def text_of(value: Any) -> str:
    """A value as text, as Go writes it."""
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is float:
        return double_text(value)
    return str(value)


def double_text(value: float) -> str:
    """
    >>> [double_text(value) for value in (10.0, 10.49, 1e6, 1e-7)]
    ['10', '10.49', '1e+06', '1e-07']
    """
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    digits, exponent = _shortest(value)
    sign = "-" if math.copysign(1, value) < 0 else ""
    if exponent < -4 or exponent >= 6:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    rest = digits[exponent + 1 :]
    return f"{sign}{whole}{'.' + rest if rest else ''}"


def _shortest(value: float) -> tuple[str, int]:
    """The digits that tell the number from all others, and the power of ten of the first."""
    text = repr(abs(value))
    mantissa, _, power = text.partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    if not digits:
        return "0", 0
    exponent = len(whole) - 1 if whole.strip("0") else -(len(part) - len(part.lstrip("0")) + 1)
    return digits.rstrip("0") or "0", exponent + int(power or 0)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _texts() -> dict[str, list[Overload]]:
    return {
        "contains": [overload("string.(string) bool", operator.contains, _searched)],
        "startsWith": [overload("string.(string) bool", str.startswith, lambda text, start: len(start) // 10)],
        "endsWith": [overload("string.(string) bool", str.endswith, lambda text, end: len(end) // 10)],
    }


def _searched(text: str, part: str) -> int:
    return (len(text) * (1 + len(part) // 64)) // 10


def _size(value: Any) -> int:
    return len(value)


def _zone(name: str) -> tzinfo:
    if match := _TIME_ZONE.fullmatch(name):
        hours, minutes = int(match[2]), int(match[3])
        if hours < 24 and minutes < 60:
            return timezone((-1 if match[1] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    try:
        return UTC if name in ("", "UTC") else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise EvaluationError(f"unknown time zone {name}") from None


_OF_MOMENTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
}
_OF_DURATIONS = {"getHours": 3600 * 10**9, "getMinutes": 60 * 10**9, "getSeconds": 10**9, "getMilliseconds": 10**6}


def _times() -> dict[str, list[Overload]]:
    found: dict[str, list[Overload]] = {}
    for name, part in _OF_MOMENTS.items():
        found[name] = [
            overload("timestamp.() int", lambda value, part=part: part(value.at(UTC)), dear(_CALENDAR)),
            overload(
                "timestamp.(string) int",
                lambda value, zone, part=part: part(value.at(_zone(zone))),
                dear(2 * _CALENDAR),
            ),
        ]
    found["getMilliseconds"] = [
        overload("timestamp.() int", lambda value: value.nanoseconds % 10**9 // 10**6),
        overload("timestamp.(string) int", lambda value, zone: value.nanoseconds % 10**9 // 10**6),
    ]
    for name, unit in _OF_DURATIONS.items():
        found[name].append(overload("duration.() int", lambda value, unit=unit: _divided(value.nanoseconds, unit)))
    return found


def type_of_value(value: Any) -> types.Type:
    """The type that `type()` gives: without what is inside."""
    kind = kind_of(value)
    return _BY_KIND.get(kind) or types.opaque(kind)


_BY_KIND = {one.name if one.kind == "opaque" else one.kind: one for one in TYPES.values()}
