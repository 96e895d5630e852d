"""ServingRuntime and ClusterServingRuntime, as KServe has them: what serves which model format, and how."""

from __future__ import annotations

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object
from fairway.serving.explained import NAMED, NAMED_CONTAINER

GROUP, VERSION = "serving.kserve.io", "v1alpha1"

SERVING_RUNTIME = Kind(GROUP, VERSION, "ServingRuntime", "servingruntimes")
CLUSTER_SERVING_RUNTIME = Kind(GROUP, VERSION, "ClusterServingRuntime", "clusterservingruntimes", namespaced=False)

_TEXT: Object = {"type": "string"}
_FORMAT: Object = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {**_TEXT, "description": "sklearn, xgboost, onnx, ..."},
        "version": {**_TEXT, "description": "Major, major.minor or major.minor.patch."},
        "autoSelect": {"type": "boolean", "description": "Whether a model may get this runtime without naming it."},
        "priority": {"type": "integer", "minimum": 1, "description": "The highest is chosen."},
    },
}
_SPEC: Object = {
    **OPEN,
    "required": ["containers"],
    "properties": {
        "supportedModelFormats": {"type": "array", "items": _FORMAT},
        "multiModel": {"type": "boolean", "description": "It serves several models, which are loaded and unloaded."},
        "disabled": {"type": "boolean", "description": "No new model gets it, nor one that names it."},
        "protocolVersions": {"type": "array", "items": _TEXT, "description": "v1, v2, grpc-v1, grpc-v2."},
        "containers": {
            "type": "array",
            "items": NAMED_CONTAINER,
            "description": "The one named kserve-container is the server.",
        },
        "volumes": {"type": "array", "items": NAMED},
        "tolerations": {"type": "array", "items": OPEN},
        "imagePullSecrets": {"type": "array", "items": NAMED},
        "affinity": OPEN,
        "labels": {"type": "object", "additionalProperties": _TEXT},
        "annotations": {"type": "object", "additionalProperties": _TEXT},
        "nodeSelector": {"type": "object", "additionalProperties": _TEXT},
    },
}
_COLUMNS = (
    Column("Disabled", ".spec.disabled", "boolean"),
    Column("ModelType", ".spec.supportedModelFormats[*].name"),
    Column("Containers", ".spec.containers[*].name"),
    Column("Age", ".metadata.creationTimestamp", "date"),
)

KINDS = tuple(
    CustomKind(kind, schema={"spec": _SPEC, "status": OPEN}, columns=_COLUMNS, status=False)
    for kind in (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME)
)
