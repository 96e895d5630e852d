"""The messages of V2 over gRPC, made from a table of their fields; no generated code.

KServe and Triton disagree about the requests and answers of load and unload. Ours have the fields of both: field 1 is
the model's name for KServe and the repository's for Triton, field 2 the name for Triton; in answers KServe has the
name and whether it was done, Triton nothing, and a client of Triton skips what it does not know. The messages live in
a pool of their own: a user's program in this process may define the same names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"
"""gRPC's own, which probes ask."""

_TENSOR = "1 name string, 2 datatype string, 3 shape int64*, 4 parameters <InferParameter>, 5 contents TensorContents"
_NAMED = "1 name string, 2 version string"
_CHANGE = "1 name_or_repository string, 2 model_name string, 3 parameters <RepositoryParameter>"
_TABLE = {
    "Empty": "",
    "LiveResponse": "1 live bool",
    "ReadyResponse": "1 ready bool",
    "NamedRequest": _NAMED,
    "ServerMetadata": "1 name string, 2 version string, 3 extensions string*",
    "TensorMetadata": "1 name string, 2 datatype string, 3 shape int64*",
    "ModelMetadata": "1 name string, 2 versions string*, 3 platform string, 4 inputs TensorMetadata*, "
    "5 outputs TensorMetadata*",
    "InferParameter": "1 bool_param bool|, 2 int64_param int64|, 3 string_param string|, 4 double_param double|, "
    "5 uint64_param uint64|",
    "TensorContents": "1 bool_contents bool*, 2 int_contents int32*, 3 int64_contents int64*, 4 uint_contents uint32*, "
    "5 uint64_contents uint64*, 6 fp32_contents float*, 7 fp64_contents double*, 8 bytes_contents bytes*",
    "Tensor": _TENSOR,
    "RequestedOutput": "1 name string, 2 parameters <InferParameter>",
    "InferRequest": "1 model_name string, 2 model_version string, 3 id string, 4 parameters <InferParameter>, "
    "5 inputs Tensor*, 6 outputs RequestedOutput*, 7 raw_input_contents bytes*",
    "InferResponse": "1 model_name string, 2 model_version string, 3 id string, 4 parameters <InferParameter>, "
    "5 outputs Tensor*, 6 raw_output_contents bytes*",
    "StreamResponse": "1 error_message string, 2 infer_response InferResponse",
    "RepositoryParameter": "1 bool_param bool|, 2 int64_param int64|, 3 string_param string|, 4 bytes_param bytes|",
    "ChangeRequest": _CHANGE,
    "ChangeResponse": "1 model_name string, 2 done bool",
    "IndexRequest": "1 repository_name string, 2 ready bool",
    "ModelIndex": "1 name string, 2 version string, 3 state string, 4 reason string",
    "IndexResponse": "1 models ModelIndex*",
    "Latest": "1 num_versions uint32",
    "VersionPolicy": "1 latest Latest",
    "ConfigInput": "1 name string, 2 data_type int32, 4 dims int64*",
    "ConfigOutput": "1 name string, 2 data_type int32, 3 dims int64*",
    "Config": "1 name string, 2 platform string, 3 version_policy VersionPolicy, 4 max_batch_size int32, "
    "5 input ConfigInput*, 6 output ConfigOutput*, 17 backend string",
    "ConfigResponse": "1 config Config",
    "Duration": "1 count uint64, 2 ns uint64",
    "InferStatistics": "1 success Duration, 2 fail Duration, 3 queue Duration, 4 compute_input Duration, "
    "5 compute_infer Duration, 6 compute_output Duration",
    "ModelStatistics": "1 name string, 2 version string, 3 last_inference uint64, 4 inference_count uint64, "
    "5 execution_count uint64, 6 inference_stats InferStatistics",
    "StatisticsResponse": "1 model_stats ModelStatistics*",
    "HealthRequest": "1 service string",
    "HealthResponse": "1 status int32",
}
"""The fields of each message: number, name, type; `*` is repeated, `|` one of several, `<>` a map from text."""

DATA_TYPES = (
    "INVALID", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
    "STRING", "BF16",
)  # fmt: skip
"""Of a model's configuration, by their numbers."""

_Field = descriptor_pb2.FieldDescriptorProto


def messages() -> dict[str, Any]:
    """The message classes by the names of the table."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _TABLE}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="inference.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _TABLE.items():
        message = file.message_type.add(name=name)
        for number, field, kind in _fields(fields):
            _add(message, number, field, kind)
    return file


def _fields(line: str) -> Iterator[tuple[int, str, str]]:
    for part in filter(None, line.split(", ")):
        number, name, kind = part.split(" ")
        yield int(number), name, kind


def _add(message: descriptor_pb2.DescriptorProto, number: int, name: str, kind: str) -> None:
    repeated = kind.endswith(("*", ">"))
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind.endswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if kind.startswith("<"):
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _type(entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL), "string")
        _type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind[1:-1])
        kind = f"{message.name}.{entry.name}"
    _type(field, kind.rstrip("*|"))


def _type(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    if kind[0].isupper():
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")
