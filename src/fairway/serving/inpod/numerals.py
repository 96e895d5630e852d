"""Large bodies of numbers: from JSON's text to arrays, without a Python object for each number.

Most of what a thousand rows cost was to make a hundred thousand floats and to look at each again. Here the text of the
numbers is cut out of a body and read by simdjson; what is left is small, and read as ever. What comes out is what
`decode` and numpy make of the body, to the type and the last bit: where anything is not plain numbers in the form of a
rectangle (text, null, objects, rows of different lengths, numbers beyond 64 bits), they are who reads it.
Before it stands `messages`, after it `v1` and `v2`. simdjson is optional.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import orjson

from fairway.serving.inpod.messages import MOST_JSON, decode
from fairway.serving.inpod.model import Array

WORTH = 2048
"""Bytes. What is shorter is read as quickly without."""

_WINDOW = 4096  # bytes of anything else before numbers, and between them
_MOST_DIMENSIONS = 16
_ROWS = re.compile(rb'"(?:instances|inputs)"\s*:\s*')
_DATA = re.compile(rb'"data"\s*:\s*')
_NUMBER = re.compile(rb"\[[\s\[]*[-\d]")
_MARK = "\ue000"
"""Begins the text that stands in a body for what was cut out."""


def rows(body: bytes) -> dict[str, Any]:
    """A body of V1, in which "instances" or "inputs" may be an array instead of lists. Raises Refusal."""
    return _read(body, _ROWS, ("instances", "inputs"), lambda document: [document])


def tensors(body: bytes) -> dict[str, Any]:
    """A body of V2, in which the "data" of an input may be an array instead of lists. Raises Refusal."""
    return _read(body, _DATA, ("data",), lambda document: document.get("inputs"))


def _read(
    body: bytes, start: re.Pattern[bytes], names: tuple[str, ...], holders: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    if WORTH <= len(body) <= MOST_JSON and (simdjson := _simdjson()):
        rest, arrays = _apart(simdjson, body, start)
        if arrays and (document := _whole(rest)) is not None and _put_back(holders(document), names, arrays):
            return document
    return decode(body)


def _apart(simdjson: ModuleType, body: bytes, start: re.Pattern[bytes]) -> tuple[bytes, dict[str, Array]]:
    """What is left of the body, and what was cut out, by what stands in its place; nothing where that is not safe."""
    pieces: list[bytes] = []
    arrays: dict[str, Array] = {}
    at = 0
    while found := start.search(body, at, at + _WINDOW):
        text = _numbers_text(body, found.end())
        array = _array(simdjson, text) if text else None
        if array is None:
            return body, {}
        place = f"{_MARK}{len(arrays)}"
        arrays[place] = array
        pieces += (body[at : found.end()], f'"{place}"'.encode())
        at = found.end() + len(text)
    rest = b"".join((*pieces, body[at:]))
    # Without escapes each quote begins or ends a text, so that what was found is a key; and each place is one of ours.
    plain = b"\\" not in rest and rest.count(_MARK.encode()) == len(arrays)
    return (rest, arrays) if plain else (body, {})


def _numbers_text(body: bytes, begin: int) -> bytes:
    """From the bracket at `begin` to the last one before anything that has no place among numbers; empty where
    something else stands there, or null, true or false among them."""
    if not _NUMBER.match(body, begin):
        return b""
    end = len(body)
    for stop in (b"}", b'"'):
        found = body.find(stop, begin, end)
        end = found if found >= 0 else end
    text = body[begin : body.rfind(b"]", begin, end) + 1]
    return b"" if b"l" in text or b"t" in text else text


def _array(simdjson: ModuleType, text: bytes) -> Array | None:
    """What numpy makes of the lists; None where it is to be asked itself."""
    try:
        lists = simdjson.Parser().parse(text)
        shape = _shape(lists, simdjson.Array, _brackets(text))
        return None if shape is None else _flat(lists, real=b"." in text).reshape(shape)
    except (ValueError, TypeError, IndexError, RuntimeError, MemoryError):  # no JSON; not a number; nothing; too large
        return None


def _shape(lists: Any, kind: type, count: int) -> tuple[int, ...] | None:
    """Of lists in lists that are `count` in all; None where they are no rectangle."""
    shape: list[int] = []
    level = [lists]
    while len(shape) < _MOST_DIMENSIONS:
        count -= len(level)
        sizes = {len(each) for each in level}
        if len(sizes) > 1:
            return None
        shape += sizes
        if not isinstance(level[0][0], kind):
            return None if count else tuple(shape)  # lists that are left stand beside numbers
        level = [inner for outer in level for inner in outer]
    return None


def _brackets(text: bytes) -> int:
    """A quarter of what `bytes.count` takes where there are many."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("[")))


def _flat(lists: Any, *, real: bool) -> Array:
    """A copy, which may be written to as any other array."""
    if not real:
        try:
            return np.frombuffer(lists.as_buffer(of_type="i"), np.int64).copy()
        except TypeError:  # there is a number with an exponent
            pass
    return np.frombuffer(lists.as_buffer(of_type="d"), np.float64).copy()


def _whole(rest: bytes) -> dict[str, Any] | None:
    """None where it is no object; `decode` says so with the place in the whole body."""
    try:
        document = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _put_back(holders: Any, names: tuple[str, ...], arrays: dict[str, Array]) -> bool:
    """Whether each array came to where a protocol has it."""
    for holder in holders if isinstance(holders, list) else ():
        for name in names if isinstance(holder, dict) else ():
            place = holder.get(name)
            if isinstance(place, str) and place in arrays:
                holder[name] = arrays.pop(place)
    return not arrays


@cache
def _simdjson() -> ModuleType | None:
    try:
        import simdjson  # noqa: PLC0415  optional
    except ImportError:
        return None
    found: ModuleType = simdjson
    return found
