"""InferInput, InferOutput and RequestedOutput: one tensor of a V2 message, as programs hold it.

A tensor keeps what it was made from, a numpy array, a list or raw bytes, and becomes another of them only when a
program asks: KServe turns each into a Python list as it comes in, which is what makes its large tensors slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod.programs.kserve_api import datatypes
from fairway.serving.inpod.programs.kserve_api.errors import InferenceError, InvalidInput

Array = np.ndarray[Any, Any]
Parameters = dict[str, Any]


def plain_parameters(parameters: Any) -> Parameters | None:
    """Parameters as Python values, whether they came over REST or as gRPC's InferParameter messages."""
    if parameters is None:
        return None
    return {name: _plain(value) for name, value in dict(parameters).items()}


def _plain(value: Any) -> Any:
    if not hasattr(value, "WhichOneof"):
        return value
    choice = value.WhichOneof("parameter_choice")
    return getattr(value, choice) if choice else None


class InferTensor:
    """What inputs and outputs have in common."""

    def __init__(
        self, name: str, shape: list[int], datatype: str, data: Any = None, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.datatype = name, datatype
        self.shape = shape
        self._parameters = parameters
        self._array: Array | None = None
        self._raw_data: bytes | None = None
        self._data: Any = None
        self.text = False  # whether elements of BYTES are told as text where they are text
        self.data = data

    @property
    def data(self) -> Any:
        """The elements in row-major order, flat, as a list; a nested list stays as it was given."""
        if self._data is None and (self._array is not None or self._raw_data is not None):
            self._data = self._listed()
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._raw_data = None
        self._array = data if isinstance(data, np.ndarray) else None
        self._data = None if isinstance(data, np.ndarray) else data

    @property
    def parameters(self) -> Any:
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: Any) -> None:
        self._parameters = parameters

    @property
    def binary(self) -> bool:
        """Whether it goes out as raw bytes by its own wish."""
        return self._raw_data is not None

    def as_numpy(self) -> Array:
        dtype = datatypes.to_np_dtype(self.datatype)
        if dtype is None:
            raise InvalidInput(f"The tensor {self.name} has the datatype {self.datatype!r}, which does not exist.")
        if self._array is None:
            self._array = self._from_raw(dtype) if self._raw_data is not None else self._from_list(dtype)
        elif self._array.dtype != dtype:
            return self._shaped(self._array.astype(dtype))
        return self._shaped(self._array)

    def raw(self) -> bytes:
        """Row-major little-endian bytes, whatever it was made from."""
        if self._raw_data is not None:
            return self._raw_data
        if self._data is None and self._array is None:
            raise InvalidInput(f"The tensor {self.name} has no data.")
        array = self.as_numpy()
        return datatypes.pack(array) if self.datatype == "BYTES" else np.ascontiguousarray(array).tobytes()

    def set_data_from_numpy(self, tensor: Array, binary_data: bool = True) -> None:
        self._check(tensor)
        if not binary_data:
            if self._parameters and "binary_data_size" in self._parameters:
                self._parameters = {
                    name: value for name, value in self._parameters.items() if name != "binary_data_size"
                }
            self._raw_data, self._array = None, None
            self._data = _text_list(tensor) if self.datatype == "BYTES" else tensor.reshape(-1).tolist()
            return
        self._data, self._array = None, tensor
        self._raw_data = datatypes.pack(tensor) if self.datatype == "BYTES" else tensor.tobytes()
        self._parameters = {**(self._parameters or {}), "binary_data_size": len(self._raw_data)}

    def set_raw(self, raw: bytes) -> None:
        self._data, self._array, self._raw_data = None, None, raw

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shape": self.shape,
            "datatype": self.datatype,
            "data": self.data,
            "parameters": plain_parameters(self.parameters),
        }

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._compared() == other._compared()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()})"

    __hash__ = None  # type: ignore[assignment]

    def _compared(self) -> Any:
        data = None if self._data is None and self._array is None and self._raw_data is None else self.raw()
        return self.name, list(self.shape), self.datatype, plain_parameters(self.parameters), data

    def _check(self, tensor: Any) -> None:
        if not isinstance(tensor, np.ndarray):
            raise InferenceError("The data of a tensor is set from a numpy array.")
        datatype = datatypes.from_np_dtype(tensor.dtype)
        if datatype != self.datatype:
            raise InferenceError(f"The array is {datatype}, and the tensor {self.name} is {self.datatype}.")
        if list(tensor.shape) != list(self.shape):
            raise InferenceError(f"The array has the shape {list(tensor.shape)}, the tensor {self.name} {self.shape}.")

    def _from_raw(self, dtype: Any) -> Array:
        assert self._raw_data is not None
        if self.datatype == "BYTES":
            return datatypes.deserialize_bytes_tensor(self._raw_data)
        return np.frombuffer(self._raw_data, dtype=dtype)

    def _from_list(self, dtype: Any) -> Array:
        try:
            return np.array(self._data, dtype=dtype)
        except (ValueError, TypeError, OverflowError) as wrong:
            raise InvalidInput(f"The data of the tensor {self.name} does not fit {self.datatype}: {wrong}.") from None

    def _shaped(self, array: Array) -> Array:
        try:
            return array.reshape(self.shape)
        except ValueError:
            raise InvalidInput(
                f"The tensor {self.name} has {array.size} elements, which do not fit the shape {list(self.shape)}."
            ) from None

    def _listed(self) -> list[Any]:
        elements = self.as_numpy().reshape(-1).tolist()
        return [_as_text(element) for element in elements] if self.datatype == "BYTES" and self.text else elements


class InferInput(InferTensor):
    def as_string(self) -> list[list[str]]:
        """The elements of a BYTES tensor as text, in a list as KServe gives it."""
        if self.datatype != "BYTES":
            raise InvalidInput(f"The tensor {self.name} is {self.datatype}, not text.")
        return [[_as_text(element) for element in self.as_numpy().reshape(-1).tolist()]]


class InferOutput(InferTensor):
    pass


class RequestedOutput:
    """An output that a request names; `binary_data` is None where it does not say how it wants it."""

    def __init__(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.name, self.parameters = name, parameters

    @property
    def binary_data(self) -> bool | None:
        wanted: bool | None = (plain_parameters(self.parameters) or {}).get("binary_data")
        return wanted

    def to_dict(self) -> dict[str, Any]:
        parameters = plain_parameters(self.parameters)
        return {"name": self.name, "parameters": parameters} if parameters else {"name": self.name}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestedOutput) and self.to_dict() == other.to_dict()

    def __repr__(self) -> str:
        return f"RequestedOutput({self.to_dict()})"

    __hash__ = None  # type: ignore[assignment]


def _as_text(element: Any) -> Any:
    """Bytes that are no text stay bytes."""
    if not isinstance(element, bytes):
        return element
    try:
        return element.decode()
    except UnicodeDecodeError:
        return element


def _text_list(tensor: Array) -> list[str]:
    try:
        return [item.decode() if isinstance(item, bytes) else str(item) for item in tensor.reshape(-1).tolist()]
    except UnicodeDecodeError:
        raise InferenceError(
            "The tensor has bytes that are not text; JSON cannot carry them: use binary_data=True."
        ) from None
