"""Tensors of the V2 protocol: names of types, JSON data, and raw little-endian bytes, to and from numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal

Array = np.ndarray[Any, Any]

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
}

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def name_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy type; text and objects are BYTES."""
    return _NAMES.get(dtype.newbyteorder("<"), "BYTES")


def from_json(data: Any, datatype: str, shape: Sequence[int], where: str) -> Array:
    """`data` is flat or nested. Raises Refusal where it does not fit its type or shape."""
    if datatype == "FP16":
        raise Refusal(400, f"{where}: FP16 has no form in JSON; send the tensor as binary, or as FP32.")
    if not isinstance(data, list):
        raise Refusal(400, f"{where}: data must be a list.")
    dtype = DTYPES[datatype]
    try:
        array = np.array(data, dtype=object) if datatype == "BYTES" else _numbers(data, dtype, where, datatype)
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Refusal(400, f"{where}: data does not fit {datatype}: {wrong}.") from None
    return _shaped(array, shape, where)


def from_binary(raw: bytes, datatype: str, shape: Sequence[int], where: str) -> Array:
    """Row-major little-endian elements; each element of BYTES is preceded by its length in four bytes."""
    if datatype == "BYTES":
        return _shaped(np.array(_texts(raw, where), dtype=object), shape, where)
    dtype = DTYPES[datatype]
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise Refusal(400, f"{where}: {len(raw)} bytes do not fit {datatype} of shape {list(shape)}.")
    return np.frombuffer(raw, dtype=dtype).reshape(shape)


def to_json(array: Array) -> list[Any]:
    """The elements in row-major order, flat."""
    flat = array.reshape(-1)
    return [_text(item) for item in flat] if name_of(array.dtype) == "BYTES" else flat.tolist()


def to_binary(array: Array) -> bytes:
    if name_of(array.dtype) != "BYTES":
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    parts: list[bytes] = []
    for item in array.reshape(-1):
        text = _text(item).encode()
        parts += (len(text).to_bytes(4, "little"), text)
    return b"".join(parts)


def _numbers(data: list[Any], dtype: np.dtype[Any], where: str, datatype: str) -> Array:
    plain = np.array(data)
    if plain.size and (plain.dtype.kind not in "biuf" or (dtype.kind in "biu" and plain.dtype.kind == "f")):
        raise Refusal(400, f"{where}: data holds something that is not {datatype}.")
    if dtype.kind in "iu" and plain.size:
        limits = np.iinfo(dtype)
        if int(plain.min()) < limits.min or int(plain.max()) > limits.max:
            raise Refusal(400, f"{where}: data holds a number outside of {datatype}.")
    return plain.astype(dtype)


def _shaped(array: Array, shape: Sequence[int], where: str) -> Array:
    if array.size != math.prod(shape):
        wanted = math.prod(shape)
        raise Refusal(400, f"{where}: shape {list(shape)} wants {wanted} elements and data has {array.size}.")
    return array.reshape(shape)


def _texts(raw: bytes, where: str) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        text = raw[at + 4 : at + 4 + size]
        if at + 4 > len(raw) or len(text) != size:
            raise Refusal(400, f"{where}: the binary data of BYTES ends inside an element.")
        try:
            texts.append(text.decode())
        except UnicodeDecodeError:
            raise Refusal(400, f"{where}: an element of BYTES is not UTF-8 text.") from None
        at += 4 + size
    return texts


def _text(item: Any) -> str:
    return item.decode(errors="replace") if isinstance(item, bytes) else str(item)
