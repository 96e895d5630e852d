"""The protobuf messages of the V2 protocol over gRPC (`kserve.protocol.grpc.grpc_predict_v2_pb2`), from a table.

They live in a pool of their own: other clients of the protocol, in the same process, define the same names.
protobuf is needed only here, and only where a program speaks gRPC by itself.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PARAMETERS = "map<InferParameter> parameters"
_TENSOR = ["string name", "string datatype", "int64* shape", _PARAMETERS, "InferTensorContents contents"]
_METADATA = ["string name", "string datatype", "int64* shape"]
_NAMED = ["string name", "string version"]

_MESSAGES: dict[str, list[str]] = {
    "InferParameter": ["bool bool_param", "int64 int64_param", "string string_param", "double double_param"],
    "InferTensorContents": [
        "bool* bool_contents",
        "int32* int_contents",
        "int64* int64_contents",
        "uint32* uint_contents",
        "uint64* uint64_contents",
        "float* fp32_contents",
        "double* fp64_contents",
        "bytes* bytes_contents",
    ],
    "ServerLiveRequest": [],
    "ServerLiveResponse": ["bool live"],
    "ServerReadyRequest": [],
    "ServerReadyResponse": ["bool ready"],
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": ["bool ready"],
    "ServerMetadataRequest": [],
    "ServerMetadataResponse": ["string name", "string version", "string* extensions"],
    "ModelMetadataRequest": _NAMED,
    "ModelMetadataResponse.TensorMetadata": _METADATA,
    "ModelMetadataResponse": [
        "string name",
        "string* versions",
        "string platform",
        "ModelMetadataResponse.TensorMetadata* inputs",
        "ModelMetadataResponse.TensorMetadata* outputs",
    ],
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": ["string name", _PARAMETERS],
    "ModelInferRequest": [
        "string model_name",
        "string model_version",
        "string id",
        _PARAMETERS,
        "ModelInferRequest.InferInputTensor* inputs",
        "ModelInferRequest.InferRequestedOutputTensor* outputs",
        "bytes* raw_input_contents",
    ],
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "ModelInferResponse": [
        "string model_name",
        "string model_version",
        "string id",
        _PARAMETERS,
        "ModelInferResponse.InferOutputTensor* outputs",
        "bytes* raw_output_contents",
    ],
    "RepositoryModelLoadRequest": ["string model_name"],
    "RepositoryModelLoadResponse": ["string model_name", "bool isLoaded"],
    "RepositoryModelUnloadRequest": ["string model_name"],
    "RepositoryModelUnloadResponse": ["string model_name", "bool isUnloaded"],
}
METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
)
_Field = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="grpc_predict_v2.proto", package="inference", syntax="proto3")
    for name, fields in _MESSAGES.items():
        outer, _, nested = name.partition(".")
        parent = next((message for message in file.message_type if message.name == outer), None)
        if parent is None:
            parent = file.message_type.add(name=outer)
        _describe(parent.nested_type.add(name=nested) if nested else parent, name, fields)
    service = file.service.add(name="GRPCInferenceService")
    for method in METHODS:
        service.method.add(
            name=method, input_type=f".inference.{method}Request", output_type=f".inference.{method}Response"
        )
    return file


def _describe(message: descriptor_pb2.DescriptorProto, path: str, fields: list[str]) -> None:
    if path == "InferParameter":
        message.oneof_decl.add(name="parameter_choice")
    for number, line in enumerate(fields, 1):
        kind, _, name = line.partition(" ")
        label = _Field.LABEL_REPEATED if kind.endswith(("*", ">")) else _Field.LABEL_OPTIONAL
        field = message.field.add(name=name, number=number, label=label)
        if kind.startswith("map<"):
            entry = message.nested_type.add(name="ParametersEntry")
            entry.options.map_entry = True
            _typed(entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL), "string")
            _typed(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind[4:-1])
            kind = f"{path}.ParametersEntry"
        _typed(field, kind.rstrip("*"))
        if path == "InferParameter":
            field.oneof_index = 0


def _typed(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    if kind[0].isupper():
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".inference.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")


_POOL = descriptor_pool.DescriptorPool()
DESCRIPTOR = _POOL.AddSerializedFile(_file().SerializeToString()) or _POOL.FindFileByName("grpc_predict_v2.proto")


def message(name: str) -> Any:
    """The class of a message."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"inference.{name}"))


InferParameter = message("InferParameter")
InferTensorContents = message("InferTensorContents")
ModelInferRequest = message("ModelInferRequest")
ModelInferResponse = message("ModelInferResponse")
ModelMetadataRequest = message("ModelMetadataRequest")
ModelMetadataResponse = message("ModelMetadataResponse")
ModelReadyRequest = message("ModelReadyRequest")
ModelReadyResponse = message("ModelReadyResponse")
RepositoryModelLoadRequest = message("RepositoryModelLoadRequest")
RepositoryModelLoadResponse = message("RepositoryModelLoadResponse")
RepositoryModelUnloadRequest = message("RepositoryModelUnloadRequest")
RepositoryModelUnloadResponse = message("RepositoryModelUnloadResponse")
ServerLiveRequest = message("ServerLiveRequest")
ServerLiveResponse = message("ServerLiveResponse")
ServerMetadataRequest = message("ServerMetadataRequest")
ServerMetadataResponse = message("ServerMetadataResponse")
ServerReadyRequest = message("ServerReadyRequest")
ServerReadyResponse = message("ServerReadyResponse")
