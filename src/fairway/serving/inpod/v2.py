"""The V2 protocol (Open Inference Protocol) over REST: tensors as JSON, or raw after a JSON head.

A single input tensor is an array of rows. Several, or the parameter content_type "pd", may be the columns of a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.serving.inpod import tensors
from fairway.serving.inpod.messages import Answer, Refusal, Request, decode, encode
from fairway.serving.inpod.model import Array, Inputs, Model, Signature, Tensor

VERSION = "1"
BINARY_HEADER = "inference-header-content-length"


def metadata(name: str, signature: Signature) -> dict[str, Any]:
    return {
        "name": name,
        "versions": [VERSION],
        "platform": signature.platform,
        "inputs": [_about(tensor) for tensor in signature.inputs],
        "outputs": [_about(tensor) for tensor in signature.outputs],
    }


def _about(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def infer(name: str, model: Model, request: Request) -> Answer:
    document, raw = _parts(request)
    wanted = _wanted_outputs(document, model.signature)
    outputs = model.predict(_inputs(document, raw))
    answer: dict[str, Any] = {"model_name": name, "model_version": VERSION}
    if isinstance(document.get("id"), str):
        answer["id"] = document["id"]
    answer["outputs"], binary = [], []
    for output, array in outputs.items():
        if not wanted or output in wanted:
            tensor, data = _output(output, array, binary=_wants_binary(document, wanted.get(output, {})))
            answer["outputs"].append(tensor)
            binary.append(data)
    data = b"".join(binary)
    head = encode(answer)
    if not data:
        return Answer(200, head)
    return Answer(200, head + data, "application/octet-stream", {"Inference-Header-Content-Length": str(len(head))})


def _output(name: str, array: Array, *, binary: bool) -> tuple[dict[str, Any], bytes]:
    tensor: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": tensors.name_of(array.dtype)}
    if not binary:
        tensor["data"] = tensors.to_json(array)
        return tensor, b""
    data = tensors.to_binary(array)
    tensor["parameters"] = {"binary_data_size": len(data)}
    return tensor, data


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """The JSON document, and the raw tensors after it."""
    length = request.headers.get(BINARY_HEADER)
    if length is None:
        return decode(request.body), b""
    if not (length.isascii() and length.isdigit()) or int(length) > len(request.body):
        raise Refusal(400, f"The header Inference-Header-Content-Length is {length!r}, which does not fit the body.")
    return decode(request.body[: int(length)]), request.body[int(length) :]


def _inputs(document: dict[str, Any], raw: bytes) -> Inputs:
    listed = document.get("inputs")
    if not isinstance(listed, list) or not listed:
        raise Refusal(400, 'The body has no "inputs"; send a list with at least one tensor.')
    arrays: dict[str, Array] = {}
    for number, tensor in enumerate(listed):
        array, raw = _tensor(tensor, raw, f"inputs[{number}]")
        if tensor["name"] in arrays:
            raise Refusal(400, f"inputs[{number}]: the name {tensor['name']!r} is used twice.")
        arrays[tensor["name"]] = array
    if raw:
        raise Refusal(400, f"The body has {len(raw)} more bytes than the tensors' binary_data_size say.")
    parameters = _parameters(document, "the request")
    return Inputs(arrays, len(arrays) > 1 or parameters.get("content_type") == "pd", parameters)


def _tensor(tensor: Any, raw: bytes, where: str) -> tuple[Array, bytes]:
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


def _wanted_outputs(document: dict[str, Any], signature: Signature) -> Mapping[str, dict[str, Any]]:
    """The request's word on outputs, by name; empty where it names none."""
    outputs = document.get("outputs")
    if not outputs:
        return {}
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise Refusal(400, '"outputs" must be a list of objects.')
    known = [tensor.name for tensor in signature.outputs]
    for output in outputs:
        if known and output.get("name") not in known:
            raise Refusal(400, f"This model has no output {output.get('name')!r}; it has {', '.join(known)}.")
    return {str(output.get("name")): output for output in outputs}


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
