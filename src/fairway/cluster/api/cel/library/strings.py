"""The extended functions of strings, second version, as Kubernetes has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fairway.cluster.api.cel.failures import EvaluationError
from fairway.cluster.api.cel.library.overloads import Overload, overload, traversal, twice
from fairway.cluster.api.cel.library.standard import text_of
from fairway.cluster.api.cel.values import kind_of, weight

_LOWER = {ord(upper): upper.lower() for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_UPPER = {ord(lower): lower.upper() for lower in "abcdefghijklmnopqrstuvwxyz"}
_QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_MOST_PRECISION = 100


def functions() -> Mapping[str, list[Overload]]:
    return {
        "charAt": [overload("string.(int) string", _char_at)],
        "indexOf": [
            overload("string.(string) int", _index_of, traversal),
            overload("string.(string, int) int", _index_of, traversal),
        ],
        "lastIndexOf": [
            overload("string.(string) int", _last_index_of, traversal),
            overload("string.(string, int) int", _last_index_of, traversal),
        ],
        "join": [
            overload("list(string).() string", _join, _joined_size),
            overload("list(string).(string) string", _join, _joined_size),
        ],
        "lowerAscii": [overload("string.() string", lambda text: text.translate(_LOWER), traversal)],
        "upperAscii": [overload("string.() string", lambda text: text.translate(_UPPER), traversal)],
        "trim": [overload("string.() string", str.strip, traversal)],
        "replace": [
            overload("string.(string, string) string", str.replace, _replaced_size),
            overload("string.(string, string, int) string", str.replace, _replaced_size),
        ],
        "split": [
            overload("string.(string) list(string)", _split, twice),
            overload("string.(string, int) list(string)", _split, twice),
        ],
        "substring": [
            overload("string.(int) string", _substring, traversal),
            overload("string.(int, int) string", _substring, traversal),
        ],
        "format": [overload("string.(list(dyn)) string", _formatted, _formatted_size)],
        "jsonpatch.escapeKey": [
            overload("(string) string", lambda text: text.replace("~", "~0").replace("/", "~1"), traversal)
        ],
        "strings.quote": [overload("(string) string", _quoted, lambda text: len(text) // 3)],
    }


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not part:
        return start
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not part:
        return start
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part))


def _join(parts: list[str], between: str = "") -> str:
    return between.join(parts)


def _joined_size(parts: list[str], between: str = "") -> int:
    return (sum(map(len, parts)) + len(parts) * (1 + len(between))) // 5


def _replaced_size(text: str, old: str, new: str, most: int = -1) -> int:
    times = text.count(old) if most < 0 else min(most, text.count(old))
    return (len(text) + times * len(new)) // 5


def _split(text: str, between: str, most: int = -1) -> list[str]:
    if most == 0:
        return []
    if not between:
        parts = list(text)
        return parts if most < 0 or len(parts) <= most else [*parts[: most - 1], "".join(parts[most - 1 :])]
    return text.split(between, most - 1 if most > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise EvaluationError(f"index out of range: {stop}")
    if start > stop:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _quoted(text: str) -> str:
    return '"' + "".join(_QUOTED.get(character, character) for character in text) + '"'


def _formatted_size(pattern: str, values: list[Any]) -> int:
    return len(pattern) // 5 + 5 * sum(map(weight, values))


def _formatted(pattern: str, values: list[Any]) -> str:
    out: list[str] = []
    at = used = 0
    while (mark := pattern.find("%", at)) >= 0:
        out.append(pattern[at:mark])
        at = mark + 1
        if pattern[at : at + 1] == "%":
            out.append("%")
            at += 1
            continue
        precision, at = _precision(pattern, at)
        verb = pattern[at : at + 1]
        at += 1
        if verb not in _VERBS:
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')
        if used >= len(values):
            raise EvaluationError(f"index {used} out of range")
        out.append(_VERBS[verb](values[used], precision))
        used += 1
    return "".join([*out, pattern[at:]])


def _precision(pattern: str, at: int) -> tuple[int, int]:
    if pattern[at : at + 1] != ".":
        return 6, at
    end = at + 1
    while pattern[end : end + 1].isdigit() and end - at < 5:
        end += 1
    digits = pattern[at + 1 : end]
    if not digits or int(digits) > _MOST_PRECISION:
        raise EvaluationError("could not parse formatting clause: error while parsing precision")
    return int(digits), end


def _shown(value: Any, _: int = 0) -> str:
    kind = kind_of(value)
    if kind == "string":
        return str(value)
    if kind == "bytes":
        return bytes(value).decode(errors="replace")
    if kind == "double":
        return _beyond(value) if math.isnan(value) or math.isinf(value) else _shortened(value)
    if kind == "null":
        return "null"
    if kind == "list":
        return f"[{', '.join(map(_shown, value))}]"
    if kind == "map":
        return "{" + ", ".join(sorted(f"{_shown(key)}: {_shown(inner)}" for key, inner in value.items())) + "}"
    if kind in ("int", "uint", "bool", "timestamp", "duration", "type"):
        return text_of(value)
    raise EvaluationError(
        f"error during formatting: string clause can only be used on strings, bools, bytes, ints, "
        f"doubles, maps, lists, types, durations, and timestamps, was given {kind}"
    )


def _shortened(value: float) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text or "0"


def _whole(base: str) -> Callable[[Any, int], str]:
    def shown(value: Any, _: int) -> str:
        kind = kind_of(value)
        if kind in ("int", "uint") or (kind == "bool" and base == "b"):
            return format(int(value), base)
        raise EvaluationError(f"error during formatting: only integers can be formatted with %{base}, was given {kind}")

    return shown


def _hexadecimal(upper: bool) -> Callable[[Any, int], str]:
    def shown(value: Any, _: int) -> str:
        kind = kind_of(value)
        if kind in ("int", "uint"):
            text = format(int(value), "x")
        elif kind in ("string", "bytes"):
            text = (value.encode() if kind == "string" else value).hex()
        else:
            raise EvaluationError(
                "error during formatting: only integers, byte buffers, and strings can be formatted as hex, "
                f"was given {kind}"
            )
        return text.upper() if upper else text

    return shown


def _decimal(value: Any, _: int) -> str:
    kind = kind_of(value)
    if kind in ("int", "uint"):
        return str(int(value))
    if kind == "double" and (math.isnan(value) or math.isinf(value)):
        return _beyond(value)
    raise EvaluationError(f"error during formatting: decimal clause can only be used on integers, was given {kind}")


def _float(value: Any, what: str) -> float:
    kind = kind_of(value)
    if kind in ("double", "int", "uint"):
        return float(value)
    raise EvaluationError(f"error during formatting: {what} clause can only be used on doubles, was given {kind}")


def _fixed(value: Any, precision: int) -> str:
    number = _float(value, "fixed-point")
    if math.isnan(number) or math.isinf(number):
        return _beyond(number)
    return f"{number:.{precision}f}"


def _beyond(number: float) -> str:
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


def _scientific(value: Any, precision: int) -> str:
    number = _float(value, "scientific")
    if math.isnan(number) or math.isinf(number):
        return _beyond(number)
    mantissa, _, power = f"{number:.{precision}e}".partition("e")
    return f"{mantissa}×10{power.lstrip('+').translate(_SUPERSCRIPT)}"


_VERBS: dict[str, Callable[[Any, int], str]] = {
    "s": _shown,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _whole("b"),
    "o": _whole("o"),
    "x": _hexadecimal(False),
    "X": _hexadecimal(True),
}
