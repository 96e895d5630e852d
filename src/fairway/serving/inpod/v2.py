"""The V2 protocol (Open Inference Protocol) over REST: tensors as JSON, or raw after a JSON head.

A single input tensor is the rows. Several, or the parameter content_type "pd", are the columns of a table.
The one output is "output-0", as KServe's own scikit-learn server names it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fairway.serving.inpod import frames, tensors
from fairway.serving.inpod.messages import Answer, Refusal, Request, decode, encode
from fairway.serving.inpod.models import Model

OUTPUT = "output-0"
VERSION = "1"
BINARY_HEADER = "inference-header-content-length"


def metadata(model: Model) -> dict[str, Any]:
    columns = model.columns or ("input-0",)
    width = [] if model.columns else [model.features if model.features is not None else -1]
    kind = "BYTES" if model.features is None else "FP64"
    classes = model.classes
    probabilities = model.method == "predict_proba"
    answer = "FP64" if probabilities or not isinstance(classes, np.ndarray) else tensors.name_of(classes.dtype)
    shape = [-1, len(classes)] if probabilities and isinstance(classes, np.ndarray) else [-1]
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": "sklearn",
        "inputs": [{"name": column, "datatype": kind, "shape": [-1, *width]} for column in columns],
        "outputs": [{"name": OUTPUT, "datatype": answer, "shape": shape}],
    }


def infer(model: Model, request: Request) -> Answer:
    document, raw = _parts(request)
    output = _wanted_output(document)
    result = model.predict(_table(model, document, raw))
    tensor: dict[str, Any] = {
        "name": OUTPUT,
        "shape": list(result.shape),
        "datatype": tensors.name_of(result.dtype),
    }
    answer: dict[str, Any] = {"model_name": model.name, "model_version": VERSION}
    if isinstance(document.get("id"), str):
        answer["id"] = document["id"]
    answer["outputs"] = [tensor]
    if not _wants_binary(document, output):
        tensor["data"] = tensors.to_json(result)
        return Answer(200, encode(answer))
    data = tensors.to_binary(result)
    tensor["parameters"] = {"binary_data_size": len(data)}
    head = encode(answer)
    return Answer(200, head + data, "application/octet-stream", {"Inference-Header-Content-Length": str(len(head))})


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """The JSON document, and the raw tensors after it."""
    length = request.headers.get(BINARY_HEADER)
    if length is None:
        return decode(request.body), b""
    if not (length.isascii() and length.isdigit()) or int(length) > len(request.body):
        raise Refusal(400, f"The header Inference-Header-Content-Length is {length!r}, which does not fit the body.")
    return decode(request.body[: int(length)]), request.body[int(length) :]


def _table(model: Model, document: dict[str, Any], raw: bytes) -> Any:
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise Refusal(400, 'The body has no "inputs"; send a list with at least one tensor.')
    columns: dict[str, tensors.Array] = {}
    for number, tensor in enumerate(inputs):
        array, raw = _tensor(tensor, raw, f"inputs[{number}]")
        if tensor["name"] in columns:
            raise Refusal(400, f"inputs[{number}]: the name {tensor['name']!r} is used twice.")
        columns[tensor["name"]] = array
    if raw:
        raise Refusal(400, f"The body has {len(raw)} more bytes than the tensors' binary_data_size say.")
    if len(columns) > 1 or _parameters(document, "the request").get("content_type") == "pd":
        return frames.from_columns(columns, model)
    (rows,) = columns.values()
    return frames.named(rows, model) if model.columns else rows


def _tensor(tensor: Any, raw: bytes, where: str) -> tuple[tensors.Array, bytes]:
    """One input, and what is left of the raw bytes."""
    if not isinstance(tensor, dict):
        raise Refusal(400, f"{where} is not an object.")
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if not isinstance(name, str) or not name:
        raise Refusal(400, f"{where} has no name.")
    if datatype not in tensors.DTYPES:
        raise Refusal(400, f"{where}: datatype must be one of {', '.join(tensors.DTYPES)}, not {datatype!r}.")
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise Refusal(400, f"{where}: shape must be a list of whole numbers.")
    size = _parameters(tensor, where).get("binary_data_size")
    if size is None:
        return tensors.from_json(tensor.get("data"), datatype, shape, where), raw
    if type(size) is not int or not 0 <= size <= len(raw):
        raise Refusal(400, f"{where}: binary_data_size {size!r} does not fit the {len(raw)} bytes that are left.")
    return tensors.from_binary(raw[:size], datatype, shape, where), raw[size:]


def _wanted_output(document: dict[str, Any]) -> dict[str, Any]:
    """The request's word on our only output; empty where it names none."""
    outputs = document.get("outputs")
    if not outputs:
        return {}
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise Refusal(400, '"outputs" must be a list of objects.')
    for output in outputs:
        if output.get("name") != OUTPUT:
            raise Refusal(400, f"This model has no output {output.get('name')!r}; its only output is {OUTPUT!r}.")
    return dict(outputs[0])


def _wants_binary(document: dict[str, Any], output: dict[str, Any]) -> bool:
    chosen = _parameters(output, "the output").get("binary_data")
    return bool(_parameters(document, "the request").get("binary_data_output") if chosen is None else chosen)


def _parameters(part: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = part.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Refusal(400, f"{where}: parameters must be an object.")
    return parameters
