"""The same models twice: as ONNX for ours, and as programs of Triton's Python backend.

`sums` takes batches of two tensors; `echo` has an input of each datatype and gives each back; `shares` answers
probabilities, for the extension of classification.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Ports = Mapping[str, tuple[str, tuple[int | str, ...]]]
"""Datatype and shape by name; a text is a size that is left open."""

DATATYPES = {
    "BOOL": "BOOL", "UINT8": "UINT8", "UINT16": "UINT16", "UINT32": "UINT32", "UINT64": "UINT64", "INT8": "INT8",
    "INT16": "INT16", "INT32": "INT32", "INT64": "INT64", "FP16": "FLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE",
    "BYTES": "STRING",
}  # fmt: skip
"""ONNX's names of V2's."""

_ROWS: tuple[int | str, ...] = ("batch", 4)
_ECHOED: Ports = {f"IN_{name}": (name, (2,)) for name in DATATYPES}


def make(ours: Path, tritons: Path) -> None:
    """A repository each."""
    onnx = _Onnx()
    two: Ports = {"A": ("FP32", _ROWS), "B": ("FP32", _ROWS)}
    results: Ports = {"SUM": ("FP32", _ROWS), "DIFFERENCE": ("FP32", _ROWS)}
    onnx.save(ours / "sums", [("Add", ["A", "B"], "SUM"), ("Sub", ["A", "B"], "DIFFERENCE")], two, results)
    _program(
        tritons / "sums", two, results, {"SUM": "given['A'] + given['B']", "DIFFERENCE": "given['A'] - given['B']"}
    )
    echoed: Ports = {_out(name): port for name, port in _ECHOED.items()}
    onnx.save(ours / "echo", [("Identity", [name], _out(name)) for name in _ECHOED], _ECHOED, echoed)
    _program(tritons / "echo", _ECHOED, echoed, {name: f"given['{name.replace('OUT_', 'IN_')}']" for name in echoed})
    scores: Ports = {"SCORES": ("FP32", _ROWS)}
    onnx.save(ours / "shares", [("Identity", ["SCORES"], "SHARES")], scores, {"SHARES": ("FP32", _ROWS)})
    _program(tritons / "shares", scores, {"SHARES": ("FP32", _ROWS)}, {"SHARES": "given['SCORES']"})


def _out(name: str) -> str:
    return name.replace("IN_", "OUT_")


class _Onnx:
    def save(self, folder: Path, nodes: list[tuple[str, list[str], str]], inputs: Ports, outputs: Ports) -> None:
        from onnx import helper, save_model  # noqa: PLC0415  optional

        made = [helper.make_node(kind, given, [result]) for kind, given, result in nodes]
        graph = helper.make_graph(made, folder.name, self._ports(inputs), self._ports(outputs))
        folder.mkdir(parents=True)
        versions = [helper.make_opsetid("", 18)]
        save_model(helper.make_model(graph, opset_imports=versions, ir_version=9), folder / "model.onnx")

    def _ports(self, ports: Ports) -> list[Any]:
        from onnx import TensorProto, helper  # noqa: PLC0415  optional

        return [
            helper.make_tensor_value_info(name, getattr(TensorProto, DATATYPES[datatype]), list(shape))
            for name, (datatype, shape) in ports.items()
        ]


def _program(folder: Path, inputs: Ports, outputs: Ports, results: Mapping[str, str]) -> None:
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(
        f'name: "{folder.name}"\nbackend: "python"\n{_batches(inputs)}{_listed("input", inputs)}'
        f"{_listed('output', outputs)}"
    )
    answers = ", ".join(f"triton.Tensor('{name}', {result})" for name, result in results.items())
    (folder / "1/model.py").write_text(
        "import triton_python_backend_utils as triton\n\n\n"
        "class TritonPythonModel:\n"
        "    def execute(self, requests):\n"
        "        answers = []\n"
        "        for request in requests:\n"
        "            given = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}\n"
        f"            made = [{answers}]\n"
        "            wanted = [tensor for tensor in made if tensor.name() in request.requested_output_names()]\n"
        "            answers.append(triton.InferenceResponse(wanted))\n"
        "        return answers\n"
    )


def _batches(inputs: Ports) -> str:
    return "max_batch_size: 64\n" if inputs is not _ECHOED else ""


def _listed(what: str, ports: Ports) -> str:
    return "".join(f"{what} {{ {_port(name, *port)} }}\n" for name, port in ports.items())


def _port(name: str, datatype: str, shape: tuple[int | str, ...]) -> str:
    sizes = [size if isinstance(size, int) else -1 for size in (shape[1:] if len(shape) > 1 else shape)]
    return f'name: "{name}" data_type: TYPE_{"STRING" if datatype == "BYTES" else datatype} dims: {sizes}'
