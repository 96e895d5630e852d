"""`kserve.model`: the model's classes, and what programs import from there beside them."""

from typing import Any

from fairway.serving.inpod.programs.kserve_api.constants import PredictorProtocol
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse
from fairway.serving.inpod.programs.kserve_api.model import (
    FORWARDABLE_HEADERS,
    BaseKServeModel,
    InferenceModel,
    InferenceVerb,
    Model,
    append_forwardable_headers,
)
from fairway.serving.inpod.programs.kserve_api.predictor import PredictorConfig

_FORWARDABLE_HEADERS = FORWARDABLE_HEADERS  # KServe's own spelling

__all__ = [
    "BaseKServeModel",
    "InferRequest",
    "InferResponse",
    "InferenceModel",
    "InferenceVerb",
    "Model",
    "PredictorConfig",
    "PredictorProtocol",
    "append_forwardable_headers",
]


def __getattr__(name: str) -> Any:
    """The gRPC messages need protobuf, which not every program has."""
    if name not in ("ModelInferRequest", "ModelInferResponse"):
        raise AttributeError(f"module 'kserve.model' has no attribute {name!r}")
    try:
        from fairway.serving.inpod.programs.kserve_api import wire  # noqa: PLC0415  protobuf is optional
    except ImportError:
        return type(name, (), {})  # nothing is an instance of it
    return getattr(wire, name)
