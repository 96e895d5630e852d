"""TrainedModel, as KServe has it: a model for a server that loads many."""

from __future__ import annotations

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object

TRAINED_MODEL = Kind("serving.kserve.io", "v1alpha1", "TrainedModel", "trainedmodels")

CONFIG_LABEL = "serving.fairway.dev/models-of"
"""On the ConfigMap: the InferenceService whose models it lists."""
CONFIG_FILE = "models.json"

_TEXT: Object = {"type": "string"}
_SPEC: Object = {
    **OPEN,
    "required": ["inferenceService", "model"],
    "properties": {
        "inferenceService": {**_TEXT, "description": "The service whose predictor names no model of its own."},
        "model": {
            **OPEN,
            "required": ["storageUri", "framework", "memory"],
            "properties": {
                "storageUri": {**_TEXT, "description": "As in an InferenceService, but for claims."},
                "framework": {**_TEXT, "description": "The model's format: sklearn, xgboost, onnx, ..."},
                "memory": {
                    "anyOf": [{"type": "integer"}, {"type": "string"}],
                    "x-kubernetes-int-or-string": True,
                    "description": "All models together must fit into the server's memory limit.",
                },
            },
        },
    },
}

KIND = CustomKind(
    TRAINED_MODEL,
    schema={"spec": _SPEC, "status": OPEN},
    short_names=("tm",),
    columns=(
        Column("URL", ".status.url"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)


def config_name(service: str) -> str:
    """Upstream's name; there is one shard."""
    return f"modelconfig-{service}-0"
