"""The V2 protocol (Open Inference Protocol) over REST: tensors as JSON, or raw after a JSON head.

A single input tensor is an array of rows. Several, or the parameter content_type "pd", may be the columns of a table.
Raw tensors are views of the request's body, and go out as views of the model's arrays: nothing is copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.serving.inpod import classes, numerals, tensors
from fairway.serving.inpod.messages import Answer, Refusal, Request, decode, encode, packed
from fairway.serving.inpod.model import Array, Inputs, Message, Reply, Signature, Tensor

LENGTH = "inference-header-content-length"
_BINARY = ("binary_data_size", "binary_data", "binary_data_output")


class Dialogue:
    """One request; see `work`. `version` is that of the model that answers."""

    __slots__ = ("_document", "_name", "_request", "_signature", "_version", "_wanted")

    def __init__(self, name: str, version: str, signature: Signature, request: Request) -> None:
        self._name, self._version, self._signature, self._request = name, version, signature, request
        self._document: dict[str, Any] = {}
        self._wanted: Mapping[str, dict[str, Any]] = {}

    def read(self) -> Inputs:
        self._document, raw = _parts(self._request)
        self._wanted = _wanted_outputs(self._document, self._signature)
        return _inputs(self._document, raw)

    def write(self, outputs: Mapping[str, Array]) -> Answer:
        return self._answer(outputs, {}, {})

    def message(self) -> Message:
        inputs = self.read()
        of_tensors = {tensor["name"]: _own(tensor.get("parameters")) for tensor in self._document["inputs"]}
        said = {name: parameters for name, parameters in of_tensors.items() if parameters}
        id = self._document.get("id")
        return Message(
            "infer",
            self._request.headers,
            inputs=Inputs(inputs.tensors, inputs.named, _own(inputs.parameters)),
            id=id if isinstance(id, str) else "",
            outputs=tuple(self._wanted),
            input_parameters=said,
        )

    def reply(self, reply: Reply) -> Answer:
        if reply.stream is not None:
            return Answer(reply.status, b"", reply.content_type, reply.headers, stream=reply.stream)
        if reply.outputs is not None:
            answer = self._answer(reply.outputs, reply.parameters, reply.output_parameters)
            return Answer(
                reply.status, answer.body, answer.content_type, {**reply.headers, **answer.headers}, answer.tail
            )
        body = reply.body if isinstance(reply.body, bytes) else encode(reply.body)
        return Answer(reply.status, body, reply.content_type, reply.headers)

    def _answer(
        self,
        outputs: Mapping[str, Array],
        parameters: Mapping[str, Any],
        of_outputs: Mapping[str, Mapping[str, Any]],
    ) -> Answer:
        document: dict[str, Any] = {"model_name": self._name, "model_version": self._version}
        if isinstance(self._document.get("id"), str):
            document["id"] = self._document["id"]
        if parameters:
            document["parameters"] = dict(parameters)
        document["outputs"] = written = []
        raw: list[memoryview] = []
        for name, array in outputs.items():
            if not self._wanted or name in self._wanted:
                tensor, data = self._output(name, array, of_outputs.get(name, {}))
                written.append(tensor)
                raw += data
        head = encode(document)
        if not raw:
            answer = Answer(200, head)
        else:
            length = {"Inference-Header-Content-Length": str(len(head))}
            answer = Answer(200, head, "application/octet-stream", length, tuple(raw))
        return packed(answer, self._request.headers.get("accept-encoding", ""))

    def _output(
        self, name: str, array: Array, parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[memoryview]]:
        wish = self._wanted.get(name, {})
        if count := classes.number(_parameters(wish, "the output")):
            array = classes.likeliest(array, count, batched=self._signature.batches)
        about: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": tensors.name_of(array.dtype)}
        if not _wants_binary(self._document, wish):
            about |= {"parameters": dict(parameters)} if parameters else {}
            return about | {"data": tensors.to_json(array)}, []
        data = tensors.to_binary(array)
        return about | {"parameters": {**parameters, "binary_data_size": data.nbytes}}, [data]


def metadata(name: str, version: str, signature: Signature) -> dict[str, Any]:
    return {
        "name": name,
        "versions": [version],
        "platform": signature.platform,
        "inputs": [_about(tensor) for tensor in signature.inputs],
        "outputs": [_about(tensor) for tensor in signature.outputs],
    }


def _about(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _parts(request: Request) -> tuple[dict[str, Any], memoryview]:
    """The JSON document, and the raw tensors after it."""
    length, body = request.headers.get(LENGTH), memoryview(request.body)
    if length is None:
        return numerals.tensors(request.body), body[:0]
    if not (length.isascii() and length.isdigit()) or len(length) > 15 or int(length) > len(body):
        raise Refusal(
            400, f"The header Inference-Header-Content-Length is {length[:20]!r}, which does not fit the body."
        )
    return decode(body[: int(length)]), body[int(length) :]


def _inputs(document: dict[str, Any], raw: memoryview) -> Inputs:
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


def _tensor(tensor: Any, raw: memoryview, where: str) -> tuple[Array, memoryview]:
    """One input, and what is left of the raw bytes."""
    if not isinstance(tensor, dict):
        raise Refusal(400, f"{where} is not an object.")
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if not isinstance(name, str) or not name:
        raise Refusal(400, f"{where} has no name.")
    if not isinstance(datatype, str) or datatype not in tensors.DTYPES:
        raise Refusal(400, f"{where}: datatype must be one of {', '.join(tensors.DTYPES)}, not {datatype!r}.")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
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
    for output in outputs:
        check_output(output.get("name"), signature)
        classes.number(_parameters(output, "the output"))
    return {str(output.get("name")): output for output in outputs}


def check_output(name: Any, signature: Signature) -> None:
    """Raises Refusal where the model says what its outputs are, and this is none."""
    known = [tensor.name for tensor in signature.outputs]
    if known and name not in known:
        has = f"its only output is {known[0]!r}" if len(known) == 1 else f"it has {', '.join(map(repr, known))}"
        raise Refusal(400, f"This model has no output {name!r}; {has}.")


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


def _own(parameters: Any) -> dict[str, Any]:
    """Without those about binary data, which are the server's."""
    return {name: value for name, value in (parameters or {}).items() if name not in _BINARY}
