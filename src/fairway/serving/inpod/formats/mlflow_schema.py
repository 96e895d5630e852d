"""The signature that MLflow wrote into MLmodel: columns by name and type, or tensors. What a request must look like.

MLflow holds requests to it, and so does this: a column that is required must be there, and a value must be of its type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairway.serving.inpod import tensors
from fairway.serving.inpod.formats import arguments, tables
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Inputs, Tensor

_DATATYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "datetime": "BYTES",
}


@dataclass(frozen=True, slots=True)
class Schema:
    """`columns`: a table, of which `optional` may be left out and `moments` are points in time. Else tensors."""

    tensors: tuple[Tensor, ...] = ()
    columns: bool = False
    optional: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()

    def read(self, inputs: Inputs, model: str) -> Inputs:
        """What the client sent, in the form of the signature. Raises Refusal."""
        if not self.tensors:
            return inputs
        if not self.columns:
            return Inputs(arguments.match(inputs, self.tensors, model), len(self.tensors) > 1, inputs.parameters)
        given = inputs.tensors if inputs.named else self._split(inputs, model)
        wanted = [tensor.name for tensor in self.tensors]
        missing = [name for name in wanted if name not in given and name not in self.optional]
        unknown = [name for name in given if name not in wanted]
        if missing:
            also = f", and it has no {', '.join(unknown)}" if unknown else ""
            raise Refusal(400, f"The model {model} wants the columns {', '.join(missing)} too{also}.")
        columns = {tensor.name: self._column(given, tensor, model) for tensor in self.tensors if tensor.name in given}
        return Inputs(columns, named=True, parameters=inputs.parameters)

    def _split(self, inputs: Inputs, model: str) -> Mapping[str, Array]:
        """Rows without names, in the order of the signature."""
        (rows,) = inputs.tensors.values()
        rows = tables.column(rows) if len(self.tensors) == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != len(self.tensors):
            raise Refusal(
                400, f"The model {model} wants rows of {len(self.tensors)} columns, not the shape {list(rows.shape)}."
            )
        return dict(zip((tensor.name for tensor in self.tensors), rows.T, strict=True))

    def _column(self, given: Mapping[str, Array], tensor: Tensor, model: str) -> Array:
        column, where = given[tensor.name].reshape(-1), f"{tensor.name} of the model {model}"
        if column.dtype.kind == "O" and tensor.datatype != "BYTES":
            try:
                column = column.astype(np.float64)
            except (TypeError, ValueError):
                raise Refusal(400, f"{where} is {tensor.datatype}, and the request has something else there.") from None
        column = arguments.cast(column, tensor.datatype, where)
        if tensor.name not in self.moments:
            return column
        try:
            return np.array(column.tolist(), dtype="datetime64[ns]")
        except ValueError:
            raise Refusal(400, f"{where} is a point in time, such as 2026-11-26T08:00:00.") from None


def inputs(signature: Mapping[str, Any] | None) -> Schema:
    return _schema(signature, "inputs")


def outputs(signature: Mapping[str, Any] | None) -> Schema:
    return _schema(signature, "outputs")


def _schema(signature: Mapping[str, Any] | None, side: str) -> Schema:
    entries = _parsed(signature, side)
    parameters = frozenset(str(entry["name"]) for entry in _parsed(signature, "params"))
    if not entries or not all(_is_known(entry) for entry in entries):
        return Schema(parameters=parameters)  # objects and lists in columns are told to MLflow itself as they are
    name = "input" if side == "inputs" else "output"
    declared = [_tensor(entry, f"{name}-{number}") for number, entry in enumerate(entries)]
    return Schema(
        tuple(declared),
        columns=not any(entry["type"] == "tensor" for entry in entries) and all(entry.get("name") for entry in entries),
        optional=frozenset(str(entry.get("name")) for entry in entries if entry.get("required") is False),
        moments=frozenset(str(entry.get("name")) for entry in entries if entry["type"] == "datetime"),
        parameters=parameters,
    )


def _parsed(signature: Mapping[str, Any] | None, part: str) -> Sequence[Any]:
    """MLmodel is YAML with JSON in it."""
    text = (signature or {}).get(part)
    found = json.loads(text) if text else []
    return found if isinstance(found, list) else []


def _is_known(entry: Mapping[str, Any]) -> bool:
    return entry.get("type") == "tensor" or entry.get("type") in _DATATYPES


def _tensor(entry: Mapping[str, Any], unnamed: str) -> Tensor:
    name = str(entry.get("name") or unnamed)
    if entry["type"] != "tensor":
        return Tensor(name, _DATATYPES[entry["type"]], (-1,))
    spec = entry["tensor-spec"]
    return Tensor(name, tensors.name_of(np.dtype(spec["dtype"])), tuple(int(size) for size in spec["shape"]))
