"""PMML models, by PMML4S (pypmml) in a Java machine inside this process. The answer is what KServe's server gives.

That is the target, and then what the document's Output asks for. A pure Python evaluator knows a part of the models
only, and KServe's own library would bring a licence (AGPL) that a company may not want in its server; this one is
Apache's. In the process and not beside it, because the bridge to one beside it is a port that anybody on the machine
could send code to. Starting Java takes about 1.5 s and 100 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairway.serving.inpod import tensors
from fairway.serving.inpod.formats import arguments, failures, files, tables
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

_DATATYPES = {"integer": "INT64", "boolean": "BOOL", "string": "BYTES", "float": "FP32"}
"""PMML's words for types; double and real are FP64, and moments are texts."""

_PREDICTED = "predicted_"
"""What PMML4S puts before the name of a target, where the document does not ask for it by a name of its own."""

_JAVA = ["-Xrs", "-XX:+UseSerialGC"]
"""Signals stay ours, to drain on SIGTERM; and no threads of its own to collect the garbage of one small model."""


@dataclass(frozen=True, slots=True)
class PMMLModel:
    """`places`: where in the library's answer each output is."""

    name: str
    model: Any
    signature: Signature
    places: Mapping[str, int]
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        columns = [_plain(column) for column in self._columns(inputs)]
        with failures.predicting(self.name):
            answers = [list(self.model.predict(list(row))) for row in zip(*columns, strict=True)]
        return {
            output.name: _array([answer[self.places[output.name]] for answer in answers], output.datatype)
            for output in self.signature.outputs
        }

    def close(self) -> None:
        """Java stays until the process ends; another model uses the same."""

    def _columns(self, inputs: Inputs) -> Sequence[Array]:
        wanted = self.signature.inputs
        if inputs.named:
            given = tables.columns(inputs, self.signature.columns, self.name)
        else:
            (rows,) = inputs.tensors.values()
            rows = tables.column(rows) if len(wanted) == 1 else rows
            if rows.ndim != 2 or rows.shape[1] != len(wanted):
                shape = list(rows.shape)
                raise Refusal(400, f"The model {self.name} wants rows of {len(wanted)} values, not the shape {shape}.")
            given = dict(zip(self.signature.columns, rows.T, strict=True))
        return [_typed(given[tensor.name], tensor, self.name) for tensor in wanted]


def load(name: str, location: Path, options: Mapping[str, str]) -> PMMLModel:
    pypmml = failures.package("pypmml", extra="pmml", wanted_for="A PMML model")
    path = files.one(location, (".pmml",), advice="save the model there under such a name.")
    _start_java(pypmml, path)
    with failures.loading(path, "a PMML model that can be read here", "Export it as PMML 4."):
        model = pypmml.Model.fromFile(str(path)).setSupplementOutput(True)
        inputs = tuple(Tensor(str(field.name), _datatype(field), (-1,)) for field in model.inputFields)
        fields = list(model.outputFields)
    places = _places(
        [str(field.name) for field in fields],
        [str(field.feature) for field in fields],
        [str(target) for target in model.targetNames],
    )
    outputs = tuple(Tensor(output, _datatype(fields[place]), (-1,)) for output, place in places.items())
    columns = tuple(tensor.name for tensor in inputs)
    return PMMLModel(name, model, Signature("pmml", inputs, outputs, columns, objects=True), places)


def _start_java(pypmml: Any, path: Path) -> None:
    """One for the process; the second model finds it there."""
    try:
        pypmml.PMMLContext.getOrCreate(gateway="jpype", java_opts=_JAVA)
    except Exception as failure:
        raise CannotLoad(
            f"{path} is a PMML model, which needs Java, and Java does not start: {failures.one_line(failure)} "
            "Install a Java runtime, and set JAVA_HOME where it is not found by itself."
        ) from failure


def _places(fields: list[str], features: list[str], targets: list[str]) -> dict[str, int]:
    """The targets by their own names, then what the document asks for; the library's supplement is left out.

    The supplement begins with the predicted targets; where the document asks for the prediction by another name,
    the library has it there alone.
    """
    supplement = next((place for place, field in enumerate(fields) if field.startswith(_PREDICTED)), len(fields))
    asked = {field: place for place, field in enumerate(fields) if place < supplement}
    predicted = {
        field.removeprefix(_PREDICTED): place for place, field in enumerate(fields) if field.startswith(_PREDICTED)
    }
    told = next((place for place in asked.values() if features[place] == "predictedValue"), None)
    found = {target: predicted.get(target, told) for target in targets if target not in asked}
    known = {target: place for target, place in found.items() if place is not None}
    return {**known, **asked} or {field: place for place, field in enumerate(fields)}


def _datatype(field: Any) -> str:
    kind = str(field.dataType)
    return "FP64" if kind in ("double", "real") else _DATATYPES.get(kind, "BYTES")


def _typed(column: Array, tensor: Tensor, model: str) -> Array:
    """Numbers may miss; texts are told from numbers by PMML itself only as categories that it does not know."""
    if tensor.datatype == "BYTES":
        texts = arguments.as_text(column, f"{tensor.name} of the model {model}")
        texts[np.array([item is None for item in column.tolist()], dtype=bool)] = None
        return texts
    if column.dtype.kind == "O":
        try:
            column = column.astype(np.float64)
        except (TypeError, ValueError):
            raise Refusal(400, f"{tensor.name} of the model {model} is {tensor.datatype}, not a text.") from None
    holes = column.dtype.kind == "f" and bool(np.isnan(column).any())
    return column if holes else arguments.cast(column, tensor.datatype, f"{tensor.name} of the model {model}")


def _plain(column: Array) -> list[Any]:
    return [None if value != value else value for value in column.tolist()]


def _array(values: list[Any], datatype: str) -> Array:
    """Java's numbers are told by their own types; None where there is no answer."""
    if datatype == "BYTES":
        texts = np.empty(len(values), dtype=object)
        texts[:] = ["" if value is None else str(value) for value in values]
        return texts
    if any(value is None for value in values):
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array([float(value) for value in values]).astype(tensors.DTYPES[datatype])
