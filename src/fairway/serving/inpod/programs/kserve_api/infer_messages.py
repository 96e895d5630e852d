"""InferRequest and InferResponse: whole V2 messages, to and from REST, raw bytes and gRPC.

Our server makes requests with `from_arrays` and takes arrays out of responses; the other forms are for programs that
call another model by themselves, and for transformers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from fairway.serving.inpod.programs.kserve_api import constants, datatypes
from fairway.serving.inpod.programs.kserve_api.errors import InvalidInput
from fairway.serving.inpod.programs.kserve_api.infer_tensors import (
    Array,
    InferInput,
    InferOutput,
    InferTensor,
    Parameters,
    RequestedOutput,
    plain_parameters,
)

Rest = tuple[bytes | dict[str, Any], int | None]
_Tensor = TypeVar("_Tensor", InferInput, InferOutput)


class _Message:
    id: str | None
    model_name: str
    model_version: str | None
    parameters: Any
    _came_by_grpc: bool

    def _head(self) -> dict[str, Any]:
        return {"id": self.id, "model_name": self.model_name}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()})"

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def _compared(self) -> Any:
        return self.id, self.model_name, self.model_version, self._came_by_grpc, plain_parameters(self.parameters)


class InferRequest(_Message):
    def __init__(
        self,
        model_name: str,
        infer_inputs: list[InferInput],
        request_id: str | None = None,
        raw_inputs: Sequence[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: Mapping[str, Any] | None = None,
        request_outputs: list[RequestedOutput] | None = None,
        model_version: str | None = None,
    ) -> None:
        self.id, self.model_name, self.model_version = request_id, model_name, model_version
        self.inputs, self.request_outputs = infer_inputs, request_outputs
        self.parameters = parameters
        self.__dict__["from_grpc"] = self._came_by_grpc = bool(from_grpc)  # KServe: a constructor and a value
        self._raw = bool(raw_inputs)
        for tensor, raw in zip(infer_inputs, raw_inputs or (), strict=False):
            tensor.set_raw(raw)

    @property
    def use_binary_outputs(self) -> bool:
        """Whether outputs go out raw where the request does not say it of one: gRPC answers raw with raw."""
        if self._came_by_grpc:
            return self._raw
        return bool((plain_parameters(self.parameters) or {}).get("binary_data_output", False))

    @classmethod
    def from_grpc(cls, request: Any) -> InferRequest:
        inputs = [_from_contents(InferInput, tensor) for tensor in request.inputs]
        outputs = [RequestedOutput(out.name, plain_parameters(out.parameters)) for out in request.outputs]
        return cls(
            model_name=request.model_name,
            model_version=request.model_version or None,
            infer_inputs=inputs,
            request_id=request.id,
            raw_inputs=request.raw_input_contents,
            from_grpc=True,
            parameters=request.parameters,
            request_outputs=outputs or None,
        )

    @classmethod
    def from_bytes(cls, req_bytes: bytes, json_length: int, model_name: str) -> InferRequest:
        document = _parse(req_bytes[:json_length], "request")
        outputs = document.get("outputs")
        return cls(
            model_name=model_name,
            infer_inputs=_read(InferInput, document.get("inputs"), req_bytes[json_length:]),
            request_id=document.get("id"),
            parameters=document.get("parameters"),
            request_outputs=[RequestedOutput(out["name"], out.get("parameters")) for out in outputs]
            if outputs
            else None,
        )

    @classmethod
    def from_inference_request(cls, request: Any, model_name: str) -> InferRequest:
        """From the data model of a JSON body (`kserve.protocol.rest.v2_datamodels`)."""
        inputs = [
            InferInput(item.name, item.shape, item.datatype, item.data, item.parameters) for item in request.inputs
        ]
        for tensor in inputs:
            _refuse_half(tensor)
        outputs = [RequestedOutput(item.name, item.parameters) for item in request.outputs or ()]
        return cls(
            model_name, inputs, request_id=request.id, parameters=request.parameters, request_outputs=outputs or None
        )

    def to_rest(self) -> Rest:
        """A JSON document, or where a tensor is binary the bytes of it with the raw data after, and its length."""
        document = self._head()
        if self.parameters:
            document["parameters"] = plain_parameters(self.parameters)
        tensors, raws = _written((tensor, tensor.binary) for tensor in self.inputs)
        document["inputs"] = tensors
        if self.request_outputs:
            document["outputs"] = [output.to_dict() for output in self.request_outputs]
        return _joined(document, raws)

    def to_grpc(self) -> Any:
        from fairway.serving.inpod.programs.kserve_api import wire  # noqa: PLC0415  protobuf is optional

        inputs, raws = _contents(self.inputs)
        return wire.ModelInferRequest(
            model_name=self.model_name,
            model_version=self.model_version,
            id=self.id,
            parameters=to_grpc_parameters(self.parameters),
            inputs=inputs,
            outputs=[
                {"name": out.name, "parameters": to_grpc_parameters(out.parameters)}
                for out in self.request_outputs or ()
            ],
            raw_input_contents=raws,
        )

    def as_dataframe(self) -> Any:
        """A pandas frame with a column for each input."""
        import pandas  # noqa: PLC0415  optional

        return pandas.DataFrame({tensor.name: _column(tensor) for tensor in self.inputs})

    def get_input_by_name(self, name: str) -> InferInput | None:
        return next((tensor for tensor in self.inputs if tensor.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self._head(),
            "inputs": [tensor.to_dict() for tensor in self.inputs],
            "parameters": plain_parameters(self.parameters),
        }

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, InferRequest)
            and self._compared() == other._compared()
            and self.inputs == other.inputs
            and self.request_outputs == other.request_outputs
        )

    __hash__ = None  # type: ignore[assignment]


class InferResponse(_Message):
    def __init__(
        self,
        response_id: str | None,
        model_name: str,
        infer_outputs: list[InferOutput],
        model_version: str | None = None,
        raw_outputs: Sequence[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: Mapping[str, Any] | None = None,
        use_binary_outputs: bool | None = False,
        requested_outputs: list[RequestedOutput] | None = None,
    ) -> None:
        self.id, self.model_name, self.model_version = response_id, model_name, model_version
        self.outputs, self.request_outputs = infer_outputs, requested_outputs
        self.parameters = parameters
        self.__dict__["from_grpc"] = self._came_by_grpc = bool(from_grpc)
        self._use_binary_outputs = bool(use_binary_outputs)
        for tensor, raw in zip(infer_outputs, raw_outputs or (), strict=False):
            tensor.set_raw(raw)

    @classmethod
    def from_grpc(cls, response: Any) -> InferResponse:
        return cls(
            response_id=response.id,
            model_name=response.model_name,
            model_version=response.model_version or None,
            infer_outputs=[_from_contents(InferOutput, tensor) for tensor in response.outputs],
            raw_outputs=response.raw_output_contents,
            from_grpc=True,
            parameters=response.parameters,
        )

    @classmethod
    def from_rest(cls, response: Mapping[str, Any]) -> InferResponse:
        return cls._of(response, _read(InferOutput, response.get("outputs"), b""))

    @classmethod
    def from_bytes(cls, res_bytes: bytes, json_length: int) -> InferResponse:
        document = _parse(res_bytes[:json_length], "response")
        return cls._of(document, _read(InferOutput, document.get("outputs"), res_bytes[json_length:]))

    @classmethod
    def _of(cls, document: Mapping[str, Any], outputs: list[InferOutput]) -> InferResponse:
        return cls(
            response_id=document.get("id"),
            model_name=document.get("model_name", ""),
            model_version=document.get("model_version"),
            infer_outputs=outputs,
            parameters=document.get("parameters"),
        )

    def to_rest(self) -> Rest:
        document = {**self._head(), "model_version": self.model_version}
        if self.parameters:
            document["parameters"] = plain_parameters(self.parameters)
        document["outputs"], raws = _written((tensor, self._wants_binary(tensor)) for tensor in self.wanted())
        return _joined(document, raws)

    def to_grpc(self) -> Any:
        from fairway.serving.inpod.programs.kserve_api import wire  # noqa: PLC0415  protobuf is optional

        outputs, raws = _contents(self.wanted())
        return wire.ModelInferResponse(
            model_name=self.model_name,
            model_version=self.model_version,
            id=self.id,
            parameters=to_grpc_parameters(self.parameters),
            outputs=outputs,
            raw_output_contents=raws,
        )

    def wanted(self) -> list[InferOutput]:
        """The outputs that the request asked for; all where it named none."""
        if not self.request_outputs:
            return self.outputs
        names = {output.name for output in self.request_outputs}
        return [tensor for tensor in self.outputs if tensor.name in names]

    def get_output_by_name(self, name: str) -> InferOutput | None:
        return next((tensor for tensor in self.outputs if tensor.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self._head(),
            "outputs": [tensor.to_dict() for tensor in self.outputs],
            "parameters": plain_parameters(self.parameters),
        }

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, InferResponse) and self._compared() == other._compared() and self.outputs == other.outputs
        )

    __hash__ = None  # type: ignore[assignment]

    def _wants_binary(self, tensor: InferOutput) -> bool:
        for output in self.request_outputs or ():
            if output.name == tensor.name and output.binary_data is not None:
                return output.binary_data
        return self._use_binary_outputs


def from_arrays(
    arrays: Mapping[str, Array],
    *,
    model_name: str,
    request_id: str | None = None,
    parameters: Parameters | None = None,
    outputs: Iterable[str] = (),
) -> InferRequest:
    """A request around the arrays that our server has decoded already."""
    inputs = []
    for name, array in arrays.items():
        tensor = InferInput(name, list(array.shape), datatypes.from_np_dtype(array.dtype), array)
        tensor.text = True
        inputs.append(tensor)
    return InferRequest(
        model_name,
        inputs,
        request_id=request_id,
        parameters=parameters,
        request_outputs=[RequestedOutput(name) for name in outputs] or None,
    )


def to_grpc_parameters(parameters: Any) -> dict[str, Any] | None:
    """Parameters as gRPC's InferParameter messages. Raises InvalidInput for a value that they cannot hold."""
    from fairway.serving.inpod.programs.kserve_api import wire  # noqa: PLC0415  protobuf is optional

    found: dict[str, Any] = {}
    for name, value in (plain_parameters(parameters) or {}).items():
        for kind, field in (
            (bool, "bool_param"),
            (int, "int64_param"),
            (str, "string_param"),
            (float, "double_param"),
        ):
            if isinstance(value, kind):
                found[name] = wire.InferParameter(**{field: value})
                break
        else:
            raise InvalidInput(f"The parameter {name} is neither a number, a text nor true or false.")
    return found or None


def to_http_parameters(parameters: Any) -> Parameters:
    return plain_parameters(parameters) or {}


def contains_fp16_datatype(response: InferResponse) -> bool:
    return any(tensor.datatype == "FP16" for tensor in response.outputs)


def _written(tensors: Iterable[tuple[InferTensor, bool]]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The tensors of a JSON head, and the raw data that follows it."""
    documents, raws = [], []
    for tensor, binary in tensors:
        parameters = plain_parameters(tensor.parameters) or {}
        parameters.pop("binary_data_size", None)
        document: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
        if binary:
            raws.append(tensor.raw())
            document["parameters"] = {**parameters, "binary_data_size": len(raws[-1])}
        else:
            if parameters:
                document["parameters"] = parameters
            document["data"] = _json_data(tensor)
        documents.append(document)
    return documents, raws


def _json_data(tensor: InferTensor) -> Any:
    _refuse_half(tensor)
    data = tensor.data
    if data is None:
        raise InvalidInput(f"The tensor {tensor.name} has no data.")
    if tensor.datatype == "BYTES":
        return [item.decode(errors="replace") if isinstance(item, bytes) else item for item in data]
    return data


def _joined(document: dict[str, Any], raws: list[bytes]) -> Rest:
    if not raws:
        return document, None
    head = orjson.dumps(document)
    return head + b"".join(raws), len(head)


def _parse(head: bytes, what: str) -> dict[str, Any]:
    try:
        document = orjson.loads(head)
    except orjson.JSONDecodeError as wrong:
        raise InvalidInput(f"The JSON of the {what} cannot be read: {wrong}.") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"The JSON of the {what} is not an object.")
    return document


def _read(kind: type[_Tensor], documents: Any, raw: bytes) -> list[_Tensor]:
    if not isinstance(documents, list):
        raise InvalidInput("The message has no list of tensors.")
    tensors = []
    for document in documents:
        try:
            tensor = kind(document["name"], document["shape"], document["datatype"], document.get("data"))
        except (KeyError, TypeError):
            raise InvalidInput("Each tensor has a name, a shape and a datatype.") from None
        tensor.parameters, tensor.text = document.get("parameters"), True
        size = (tensor.parameters or {}).get("binary_data_size")
        if document.get("data") is not None:
            _refuse_half(tensor)
        elif isinstance(size, int) and 0 <= size <= len(raw):
            tensor.set_raw(raw[:size])
            raw = raw[size:]
        else:
            raise InvalidInput(f"The tensor {tensor.name} has neither data nor a binary_data_size that fits the body.")
        tensors.append(tensor)
    return tensors


def _refuse_half(tensor: InferTensor) -> None:
    if tensor.datatype == "FP16":
        raise InvalidInput(f"The tensor {tensor.name} is FP16, which has no form in JSON; send it as binary data.")


def _from_contents(kind: type[_Tensor], tensor: Any) -> _Tensor:
    field = constants.GRPC_CONTENT_DATATYPE_MAPPINGS.get(tensor.datatype)
    data = list(getattr(tensor.contents, field)) if field else None
    return kind(tensor.name, list(tensor.shape), tensor.datatype, data or None, tensor.parameters)


def _contents(tensors: Sequence[InferTensor]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Tensors of a gRPC message. One raw tensor, or FP16, which has no other form, makes all of them raw."""
    raw = any(tensor.binary or tensor.datatype == "FP16" for tensor in tensors)
    documents, raws = [], []
    for tensor in tensors:
        parameters = plain_parameters(tensor.parameters) or {}
        document: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
        if raw:
            raws.append(tensor.raw())
            parameters["binary_data_size"] = len(raws[-1])
        else:
            parameters.pop("binary_data_size", None)
            field = constants.GRPC_CONTENT_DATATYPE_MAPPINGS.get(tensor.datatype)
            if field is None:
                raise InvalidInput(
                    f"The tensor {tensor.name} has the datatype {tensor.datatype}, which does not exist."
                )
            document["contents"] = {field: _grpc_data(tensor)}
        document["parameters"] = to_grpc_parameters(parameters)
        documents.append(document)
    return documents, raws


def _grpc_data(tensor: InferTensor) -> list[Any]:
    elements = tensor.as_numpy().reshape(-1).tolist()
    if tensor.datatype != "BYTES":
        return elements
    return [element if isinstance(element, bytes) else str(element).encode() for element in elements]


def _column(tensor: InferInput) -> Any:
    array = tensor.as_numpy()
    if tensor.datatype != "BYTES":
        return array.reshape(-1) if array.ndim < 2 or array.shape[1] == 1 else list(array)
    return [item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
