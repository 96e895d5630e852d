"""ONNX models, by onnxruntime: several inputs and outputs, numbers and texts, the names and shapes of the file.

A classifier made by skl2onnx answers its probabilities as a list of maps; they become a matrix with a column for each
class, in the order of the classes. Importing onnxruntime takes about 0.1 s and 30 MB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairway.serving.inpod.formats import arguments, failures, files, settings
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}

_OF_MAPS = re.compile(r"seq\(map\(\w+,\s*(tensor\(\w+\))\)\)")


@dataclass(frozen=True, slots=True)
class ONNXModel:
    """`run` may be called by several threads at once."""

    name: str
    session: Any
    signature: Signature
    input_errors: tuple[type[Exception], ...]
    sizes: Mapping[str, Sequence[int | str | None]]
    """The shape of each input as the file has it: sizes that are left open may have names."""
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        feed = arguments.match(inputs, self.signature.inputs, self.name)
        arguments.agree(feed, self.sizes, self.name)
        names = [output.name for output in self.signature.outputs]
        with failures.predicting(self.name, input_errors=self.input_errors):
            return dict(zip(names, map(_array, self.session.run(names, feed)), strict=True))

    def close(self) -> None:
        """The session goes with its last user."""


def load(name: str, location: Path, options: Mapping[str, str]) -> ONNXModel:
    runtime = failures.package("onnxruntime", extra="onnx", wanted_for="An ONNX model")
    path = files.one(location, (".onnx",), advice="save the model there with onnx.save().")
    wanted = runtime.SessionOptions()
    wanted.intra_op_num_threads = settings.threads(options)
    wanted.log_severity_level = 3
    advice = f"Save it with onnx.save(), for a version of ONNX that onnxruntime {runtime.__version__} knows."
    with failures.loading(path, "a model that onnxruntime can load", advice):
        session = runtime.InferenceSession(str(path), wanted, providers=runtime.get_available_providers())
    inputs = tuple(Tensor(one.name, _datatype(one, path), _shape(one)) for one in session.get_inputs())
    outputs = tuple(Tensor(one.name, _datatype(one, path), _shape(one)) for one in session.get_outputs())
    batches = all(tensor.shape[:1] == (-1,) for tensor in (*inputs, *outputs))
    signature = Signature("onnxruntime_onnx", inputs, outputs, batches=batches)
    states = runtime.capi.onnxruntime_pybind11_state
    errors = (ValueError, TypeError, states.InvalidArgument)
    return ONNXModel(name, session, signature, errors, {one.name: one.shape for one in session.get_inputs()})


def _datatype(argument: Any, path: Path) -> str:
    found = _OF_MAPS.fullmatch(argument.type)
    datatype = _DATATYPES.get(found[1] if found else argument.type)
    if datatype is None:
        raise CannotLoad(
            f"{path} has {argument.name!r} of type {argument.type}, which the V2 protocol has no word for; "
            "convert the model so that it takes and gives tensors of numbers or strings."
        )
    return datatype


def _shape(argument: Any) -> tuple[int, ...]:
    if _OF_MAPS.fullmatch(argument.type):
        return (-1, -1)
    return tuple(size if isinstance(size, int) and size >= 0 else -1 for size in argument.shape)


def _array(value: Any) -> Array:
    if not isinstance(value, list):
        return np.asarray(value)
    if all(isinstance(row, dict) for row in value):
        return np.array([list(row.values()) for row in value], dtype=np.float32)
    raise Refusal(500, "The model gave a sequence of tensors, which the V2 protocol has no word for.")
