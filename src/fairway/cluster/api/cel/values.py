"""The values of CEL that Python has no type for, and what is equal to what.

Everything else is plain: bool, int, float, str, bytes, None, list and dict. Objects of the API come as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError, OutOfBudget
from fairway.cluster.api.cel.types import Type

_DATE_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d))?")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SECOND = 10**9
_EARLIEST, _LATEST = -62135596800, 253402300799
HEAVIEST = 2_000_000
"""More than the elements of any object, and than one evaluation pays for where it walks them."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UInt(int):
    """An integer without a sign, which CEL tells from one with a sign."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanoseconds: int

    def __post_init__(self) -> None:
        if not -(2**63) <= self.nanoseconds < 2**63:
            raise EvaluationError("integer overflow")

    def __str__(self) -> str:
        return f"{_plain(self.nanoseconds)}s"

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError."""
        sign = -1 if text.startswith("-") else 1
        rest = text[1:] if text[:1] in ("-", "+") else text
        total, at = 0, 0
        while match := _PART.match(rest, at):
            whole, _, part = match[1].partition(".")
            unit = _UNITS[match[2]]
            total += int(whole or 0) * unit + (int(part) * unit // 10 ** len(part) if part else 0)
            at = match.end()
        if rest == "0":
            return cls(0)
        if not at or at != len(rest):
            raise ValueError(f'time: invalid duration "{text}"')
        return cls(sign * total)


@dataclass(frozen=True, slots=True)
class Timestamp:
    nanoseconds: int
    """Since 1970, in UTC."""
    offset: int = 0
    """Seconds east of UTC in which it was written, for text."""

    def __post_init__(self) -> None:
        if not _EARLIEST <= self.nanoseconds // _SECOND <= _LATEST:
            raise EvaluationError("timestamp overflow")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    def __lt__(self, other: Timestamp) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __le__(self, other: Timestamp) -> bool:
        return self.nanoseconds <= other.nanoseconds

    def __gt__(self, other: Timestamp) -> bool:
        return self.nanoseconds > other.nanoseconds

    def __ge__(self, other: Timestamp) -> bool:
        return self.nanoseconds >= other.nanoseconds

    def at(self, zone: tzinfo) -> datetime:
        return (_EPOCH + timedelta(seconds=self.nanoseconds // _SECOND)).astimezone(zone)

    def __str__(self) -> str:
        text = self.at(timezone(timedelta(seconds=self.offset))).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        part = f"{self.nanoseconds % _SECOND:09}".rstrip("0")
        hours, minutes = divmod(abs(self.offset) // 60, 60)
        zone = f"{'-' if self.offset < 0 else '+'}{hours:02}:{minutes:02}" if self.offset else "Z"
        return f"{text}{'.' + part if part else ''}{zone}"

    @classmethod
    def parse(cls, text: str, *, date_only: bool = False) -> Timestamp:
        """Raises ValueError."""
        match = _DATE_TIME.fullmatch(text)
        if match is None or (match[4] is None and not date_only):
            raise ValueError(f'invalid timestamp "{text}"')
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        if match[4] is None:
            return cls(_seconds(datetime(year, month, day, tzinfo=UTC)) * _SECOND)
        moment = datetime(year, month, day, int(match[4]), int(match[5]), int(match[6]), tzinfo=UTC)
        zone = match[8]
        offset = 0
        if zone not in "Zz":
            offset = (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * (-1 if zone[0] == "-" else 1)
            if abs(offset) >= 86400:
                raise ValueError(f'invalid timestamp "{text}"')
        part = int((match[7] or "0").ljust(9, "0")[:9])
        return cls((_seconds(moment) - offset) * _SECOND + part, offset)


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent."""

    value: Any = None
    there: bool = False


NONE = Optional()


def some(value: Any) -> Optional:
    return Optional(value, True)


def _seconds(moment: datetime) -> int:
    between = moment - _EPOCH
    return between.days * 86400 + between.seconds


def _plain(nanoseconds: int) -> str:
    """
    >>> _plain(3723004 * 10**6)
    '3723.004'
    """
    whole, part = divmod(abs(nanoseconds), _SECOND)
    decimals = f".{part:09}".rstrip("0").rstrip(".")
    return f"{'-' if nanoseconds < 0 else ''}{whole}{decimals}"


_KINDS: dict[type, str] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null",
    list: "list",
    dict: "map",
    Timestamp: "timestamp",
    Duration: "duration",
    Optional: "optional_type",
    Type: "type",
}


def kind_of(value: Any) -> str:
    """The kind of its type; for values of a library, the name of their class."""
    return _KINDS.get(value.__class__) or value.__class__.__name__


_NUMBERS = ("int", "uint", "double")


def equal(left: Any, right: Any) -> bool:
    """CEL's equality: numbers by value, everything else within its kind; unlike Python, true is not 1."""
    if left is right and left.__class__ is not float:
        return True
    kind, other = kind_of(left), kind_of(right)
    if kind != other:
        return kind in _NUMBERS and other in _NUMBERS and bool(left == right)
    if kind == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if kind == "map":
        if len(left) != len(right):
            return False
        return all(key in right and equal(value, right[key]) for key, value in left.items())
    if kind == "optional_type":
        return left.there == right.there and equal(left.value, right.value)
    return bool(left == right)


def identity(item: Any, keys: tuple[str, ...]) -> Any:
    """What tells one item of a set (no keys) or of a map from the others, as something that can be hashed."""
    if not keys:
        return frozen(item)
    return tuple(frozen(item.get(key)) if isinstance(item, dict) else None for key in keys)


def frozen(value: Any) -> Any:
    """Equal for values that are equal in CEL, and fit for a set."""
    if isinstance(value, list):
        return ("list", *map(frozen, value))
    if isinstance(value, dict):
        return ("map", frozenset((key, frozen(inner)) for key, inner in value.items()))
    return ("bool", value) if value.__class__ is bool else value


def weight(value: Any, most: int = HEAVIEST) -> int:
    """How much there is of a value, for its cost: elements at every depth.

    A list that holds another twice has it twice, so a short expression can make a value that nobody ever walks to its
    end. Raises OutOfBudget beyond `most`.
    """
    total, left = 0, [value]
    while left:
        one = left.pop()
        total += 1
        if total > most:
            raise OutOfBudget
        if one.__class__ is list:
            left += one
        elif one.__class__ is dict:
            left += one.values()
        elif one.__class__ in (str, bytes):
            total += len(one) // 64
    return total
