"""What KServe's defaulting would have written: framework blocks as `model`, protocols, the format's annotation. Pure.

The stored object stays as the user wrote it; this is what the rest of the room reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

FRAMEWORKS = (
    "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle",
)  # fmt: skip
FORMAT = "modelFormat"
"""The annotation that runtimes read the format's name from."""

_SPEAK_V2 = ("triton", "onnx", "huggingface", "vLLM")
_MODEL_CLASSES = {
    "xgboost": "mlserver_xgboost.XGBoostModel",
    "lightgbm": "mlserver_lightgbm.LightGBMModel",
    "mlflow": "mlserver_mlflow.MLflowRuntime",
}
_MODES = {"RawDeployment": "Standard", "Serverless": "Knative"}


def mode(isvc: Object) -> str:
    """Standard or Knative: that of its status, which never changes, else the one that it asks for."""
    return recorded_mode(isvc) or asked_mode(isvc) or "Standard"


def recorded_mode(isvc: Object) -> str:
    recorded = str((isvc.get("status") or {}).get("deploymentMode") or "")
    return _MODES.get(recorded, recorded)


def asked_mode(isvc: Object) -> str:
    """Empty where it asks for none."""
    asked = meta.annotations(isvc).get("serving.kserve.io/deploymentMode") or ""
    return _MODES.get(asked, asked)


def model(predictor: Object) -> tuple[str, Object] | None:
    """The block that says which model, as `model`, with the name of the field it was written in; None without one."""
    for name in ("model", *FRAMEWORKS):
        block = predictor.get(name)
        if block is not None:
            return name, block if name == "model" else {**block, "modelFormat": {"name": name}}
    return None


def protocol(model: Mapping[str, Any]) -> str:
    """What it asks for, or what its format is asked for upstream; empty where the runtime decides."""
    asked = str(model.get("protocolVersion") or "")
    name = (model.get("modelFormat") or {}).get("name")
    return asked or ("v2" if name in _SPEAK_V2 and not model.get("runtime") else "")


def metadata(isvc: Object, format: str, server_type: str, protocol: str) -> Object:
    """The metadata that a runtime's braces are filled from."""
    labels, annotations = dict(meta.labels(isvc)), dict(meta.annotations(isvc))
    if format:
        annotations.setdefault(FORMAT, format)
    if server_type == "mlserver":
        labels["modelClass"] = _MODEL_CLASSES.get(format, "mlserver_sklearn.SKLearnModel")
    if server_type == "torchserve":
        labels["serviceEnvelope"] = "kservev2" if protocol in ("v2", "grpc-v2") else "kserve"
    return {"name": meta.name(isvc), "namespace": meta.namespace(isvc), "labels": labels, "annotations": annotations}
