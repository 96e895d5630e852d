"""`kserve.protocol.infer_type`: the values of V2 in one module, as programs import them."""

from fairway.serving.inpod.programs.kserve_api.datatypes import deserialize_bytes_tensor, serialize_byte_tensor
from fairway.serving.inpod.programs.kserve_api.infer_messages import (
    InferRequest,
    InferResponse,
    contains_fp16_datatype,
    to_grpc_parameters,
    to_http_parameters,
)
from fairway.serving.inpod.programs.kserve_api.infer_tensors import InferInput, InferOutput, RequestedOutput

_contains_fp16_datatype = contains_fp16_datatype  # KServe's own spelling

__all__ = [
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "RequestedOutput",
    "_contains_fp16_datatype",
    "deserialize_bytes_tensor",
    "serialize_byte_tensor",
    "to_grpc_parameters",
    "to_http_parameters",
]
