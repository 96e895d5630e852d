"""Tensors of the V2 protocol: names of types, JSON data, and raw little-endian bytes, to and from numpy.

BF16, which numpy does not have, becomes float32. BYTES are text where all elements are UTF-8, and bytes otherwise.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
    "BF16": np.dtype("<u2"),  # as it travels
}
MOST_DIMENSIONS = 32
_MOST_ELEMENTS = 1 << 48
"""More than there can be in any memory, also where another dimension is 0."""
_ONLY_BINARY = ("FP16", "BF16")
_NAMES = {dtype: name for name, dtype in DTYPES.items() if name != "BF16"}
_SIZE = struct.Struct("<I")


def name_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy type; text and objects are BYTES."""
    return _NAMES.get(dtype.newbyteorder("<"), "BYTES")


def from_json(data: Any, datatype: str, shape: Sequence[int], where: str) -> Array:
    """`data` is flat or nested, or an array already (`numerals`). Raises Refusal where it does not fit its type or
    shape."""
    if datatype in _ONLY_BINARY:
        raise Refusal(400, f"{where}: {datatype} has no form in JSON; send the tensor as binary, or as FP32.")
    if not isinstance(data, list | np.ndarray):
        raise Refusal(400, f"{where}: data must be a list.")
    try:
        array = _all_text(data) if datatype == "BYTES" else fitted(plain(data, datatype), datatype, where)
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Refusal(400, f"{where}: data does not fit {datatype}: {wrong}.") from None
    return shaped(array, shape, where)


def from_binary(raw: memoryview, datatype: str, shape: Sequence[int], where: str) -> Array:
    """Row-major little-endian elements, as a view of them; each element of BYTES is preceded by its length in four
    bytes. Raises Refusal."""
    if datatype == "BYTES":
        return shaped(_elements(bytes(raw), where), shape, where)
    dtype = DTYPES[datatype]
    if len(raw) != _count(shape, where) * dtype.itemsize:
        raise Refusal(400, f"{where}: {len(raw)} bytes do not fit {datatype} of shape {list(shape)}.")
    array = np.frombuffer(raw, dtype=dtype)
    if datatype == "BF16":  # the upper half of a float32
        array = (array.astype("<u4") << 16).view("<f4")
    return array.reshape(shape)


def plain(data: Any, datatype: str) -> Array:
    """Numbers as numpy reads them; it would read those beyond INT64 beside smaller ones as floats, and round them."""
    array = data if isinstance(data, np.ndarray) else np.array(data)
    if datatype == "UINT64" and array.dtype.kind == "f":
        exact = np.array(data, dtype=object)
        if all(type(item) is int for item in exact.reshape(-1)):
            return exact.astype(np.uint64)
    return array


def fitted(plain: Array, datatype: str, where: str) -> Array:
    """Numbers as the datatype has them. Raises Refusal where they are none, or beyond it."""
    dtype = DTYPES[datatype]
    if plain.size and (plain.dtype.kind not in "biuf" or (dtype.kind in "biu" and plain.dtype.kind == "f")):
        raise Refusal(400, f"{where}: data holds something that is not {datatype}.")
    if dtype.kind in "iu" and plain.size:
        limits = np.iinfo(dtype)
        if int(plain.min()) < limits.min or int(plain.max()) > limits.max:
            raise Refusal(400, f"{where}: data holds a number outside of {datatype}.")
    return plain.astype(dtype, copy=False)


def texts(pieces: list[bytes]) -> Array:
    """Elements of BYTES: text where all of them are, or else bytes."""
    array = np.empty(len(pieces), dtype=object)
    try:
        array[:] = [piece.decode() for piece in pieces]
    except UnicodeDecodeError:
        array[:] = pieces
    return array


def shaped(array: Array, shape: Sequence[int], where: str) -> Array:
    wanted = _count(shape, where)
    if array.size != wanted:
        raise Refusal(400, f"{where}: shape {list(shape)} wants {wanted} elements and data has {array.size}.")
    return array.reshape(shape)


def to_json(array: Array) -> Any:
    """The elements in row-major order, flat; numbers stay an array, which JSON is written from."""
    flat = array.reshape(-1)
    if name_of(array.dtype) == "BYTES":
        return [_text(item) for item in flat]
    plain = array.dtype.isnative and array.dtype.kind in "iufb" and flat.flags.c_contiguous
    return flat if plain and array.dtype != np.float16 else flat.tolist()


def to_binary(array: Array) -> memoryview:
    if name_of(array.dtype) != "BYTES":
        whole = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        return memoryview(whole.reshape(-1).view(np.uint8).data)
    parts: list[bytes] = []
    for item in array.reshape(-1):
        text = item if isinstance(item, bytes) else str(item).encode()
        parts += (_SIZE.pack(len(text)), text)
    return memoryview(b"".join(parts))


def _count(shape: Sequence[int], where: str) -> int:
    """The elements of a shape that a client states. Raises Refusal where no array has such a shape."""
    if len(shape) > MOST_DIMENSIONS:
        raise Refusal(400, f"{where}: shape has {len(shape)} dimensions; send at most {MOST_DIMENSIONS}.")
    if math.prod(size or 1 for size in shape) > _MOST_ELEMENTS:
        raise Refusal(400, f"{where}: shape {list(shape)} is larger than any array.")
    return math.prod(shape)


def _all_text(data: Any) -> Array:
    array = np.array(data, dtype=object)
    for item in array.reshape(-1):
        if not isinstance(item, str):
            raise ValueError(f"{item!r} is not text")
    return array


def _elements(raw: bytes, where: str) -> Array:
    pieces: list[bytes] = []
    at = 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if at + 4 > len(raw) or end > len(raw):
            raise Refusal(400, f"{where}: the binary data of BYTES ends inside an element.")
        pieces.append(raw[at + 4 : end])
        at = end
    return texts(pieces)


def _text(item: Any) -> str:
    return item.decode(errors="replace") if isinstance(item, bytes) else str(item)
