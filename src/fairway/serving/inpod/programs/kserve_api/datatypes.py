"""The protocol's names of numpy's types and back, and BYTES tensors as raw bytes (`kserve.utils.numpy_codec`)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from fairway.serving.inpod import tensors
from fairway.serving.inpod.programs.kserve_api.errors import InferenceError

Array = np.ndarray[Any, Any]


def to_np_dtype(datatype: str) -> Any:
    """None for a name that the protocol does not have."""
    found = tensors.DTYPES.get(datatype)
    return None if found is None else found.type


def from_np_dtype(dtype: np.dtype[Any]) -> str:
    return tensors.name_of(np.dtype(dtype))


def serialize_byte_tensor(tensor: Array) -> Array:
    """A scalar object array with all elements, each behind its length; `.item()` is the bytes."""
    if tensor.size == 0:
        return np.empty([0], dtype=np.object_)
    if tensor.dtype != np.object_ and tensor.dtype.type is not np.bytes_:
        raise InferenceError(f"A BYTES tensor is made of objects or bytes, not of {tensor.dtype}.")
    return np.asarray(pack(tensor), dtype=np.object_)


def deserialize_bytes_tensor(raw: bytes) -> Array:
    parts: list[bytes] = []
    at = 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        parts.append(bytes(raw[at + 4 : at + 4 + size]))
        if len(parts[-1]) != size:
            raise InferenceError("The raw data of a BYTES tensor ends inside an element.")
        at += 4 + size
    elements = np.empty(len(parts), dtype=np.object_)
    elements[:] = parts
    return elements


def pack(tensor: Array) -> bytes:
    elements = [item if isinstance(item, bytes) else str(item).encode() for item in tensor.reshape(-1).tolist()]
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)
