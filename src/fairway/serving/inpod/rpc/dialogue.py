"""One `ModelInfer`: from its message to tensors, and from a model's outputs to the answer's bytes. See `work`.

Contents come typed or raw (all of them, in the order of the inputs); the answer comes as the request did. A prediction
is read and written in a worker's thread; the message itself is parsed before, since it says which model is meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod import classes, tensors, v2
from fairway.serving.inpod.messages import Answer, Refusal
from fairway.serving.inpod.model import Array, Inputs, Message, Reply, Signature

CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

_KEPT = {"int_contents": np.int64, "uint_contents": np.int64, "uint64_contents": np.uint64}
"""What holds all numbers of a field; numpy would guess by those that are there."""


class Dialogue:
    """`request` is an InferRequest, `response` the class of the answer."""

    def __init__(
        self, version: str, signature: Signature, request: Any, response: Any, headers: Mapping[str, str]
    ) -> None:
        self._version, self._signature, self._headers = version, signature, headers
        self._request, self._response = request, response

    def read(self) -> Inputs:
        request = self._request
        for output in request.outputs:
            v2.check_output(output.name, self._signature)
            classes.number(said(output.parameters))
        if not request.inputs:
            raise Refusal(400, "The request has no inputs; send at least one tensor.")
        raw = request.raw_input_contents
        if raw and len(raw) != len(request.inputs):
            raise Refusal(400, f"There are {len(request.inputs)} inputs and {len(raw)} raw_input_contents.")
        arrays: dict[str, Array] = {}
        for number, tensor in enumerate(request.inputs):
            where = f"inputs[{number}]"
            if not tensor.name or tensor.name in arrays:
                raise Refusal(400, f"{where} has no name, or one that is used twice.")
            arrays[tensor.name] = _array(tensor, memoryview(raw[number]) if raw else None, where)
        parameters = said(request.parameters)
        return Inputs(arrays, len(arrays) > 1 or parameters.get("content_type") == "pd", parameters)

    def write(self, outputs: Mapping[str, Array]) -> Answer:
        return self._answer(outputs, {}, {})

    def message(self) -> Message:
        inputs, request = self.read(), self._request
        of_inputs = {tensor.name: said(tensor.parameters) for tensor in request.inputs if tensor.parameters}
        wanted = tuple(output.name for output in request.outputs)
        return Message("infer", self._headers, inputs=inputs, id=request.id, outputs=wanted, input_parameters=of_inputs)

    def reply(self, reply: Reply) -> Answer:
        if reply.outputs is None or reply.stream is not None:
            raise Refusal(501, "The model answered with something that is no tensors; call it over HTTP.")
        return self._answer(reply.outputs, reply.parameters, reply.output_parameters)

    def _answer(
        self,
        outputs: Mapping[str, Array],
        parameters: Mapping[str, Any],
        of_outputs: Mapping[str, Mapping[str, Any]],
    ) -> Answer:
        request = self._request
        wanted = {output.name: said(output.parameters) for output in request.outputs}
        response = self._response(model_name=request.model_name, model_version=self._version, id=request.id)
        say(response.parameters, parameters)
        for name, array in outputs.items():
            if wanted and name not in wanted:
                continue
            if count := classes.number(wanted.get(name, {})):
                array = classes.likeliest(array, count, batched=self._signature.batches)
            datatype = tensors.name_of(array.dtype)
            tensor = response.outputs.add(name=name, datatype=datatype, shape=array.shape)
            say(tensor.parameters, of_outputs.get(name, {}))
            if request.raw_input_contents or datatype not in CONTENTS:
                response.raw_output_contents.append(bytes(tensors.to_binary(array)))
            else:
                getattr(tensor.contents, CONTENTS[datatype]).extend(_elements(array, datatype))
        return Answer(200, response.SerializeToString())


def said(parameters: Any) -> dict[str, Any]:
    """Parameters as plain values."""
    values = {}
    for name, parameter in parameters.items():
        chosen = parameter.WhichOneof("parameter_choice")
        if chosen:
            values[name] = getattr(parameter, chosen)
    return values


def say(parameters: Any, values: Mapping[str, Any]) -> None:
    """What has no form of its own is said as JSON."""
    for name, value in values.items():
        if isinstance(value, bool):
            parameters[name].bool_param = value
        elif isinstance(value, int):
            parameters[name].int64_param = value
        elif isinstance(value, float):
            parameters[name].double_param = value
        else:
            parameters[name].string_param = value if isinstance(value, str) else json.dumps(value)


def _array(tensor: Any, raw: memoryview | None, where: str) -> Array:
    datatype, shape = tensor.datatype, list(tensor.shape)
    if datatype not in tensors.DTYPES:
        raise Refusal(400, f"{where}: datatype must be one of {', '.join(tensors.DTYPES)}, not {datatype!r}.")
    if any(size < 0 for size in shape):
        raise Refusal(400, f"{where}: shape must be a list of whole numbers.")
    if raw is not None:
        return tensors.from_binary(raw, datatype, shape, where)
    if datatype not in CONTENTS:
        raise Refusal(400, f"{where}: {datatype} has no contents of its own; send raw_input_contents.")
    contents = getattr(tensor.contents, CONTENTS[datatype])
    if datatype == "BYTES":
        array = tensors.texts(list(contents))
    else:
        plain = np.array(contents, dtype=_KEPT.get(CONTENTS[datatype]))
        array = tensors.fitted(plain, datatype, where)
    return tensors.shaped(array, shape, where)


def _elements(array: Array, datatype: str) -> Any:
    flat = array.reshape(-1)
    if datatype != "BYTES":
        return flat.tolist()
    return [item if isinstance(item, bytes) else str(item).encode() for item in flat]
