"""InferenceService as clients of KServe know it, and the words of its status.

The schema checks types of what we read and keeps everything else, so that `spec` can refuse by name what is not
supported; a schema that pruned it would ignore it in silence.
"""

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind

INFERENCE_SERVICE = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
COMPONENT_LABEL = "component"
RENDERED = "serving.fairway.dev/rendered"
"""On the Deployment and its pods: a digest of what was rendered, by which a pod's version is known."""

_WHOLE = {"type": "integer"}
_MODEL = {
    **OPEN,
    "properties": {
        "storageUri": {"type": "string"},
        "protocolVersion": {"type": "string"},
        "env": {"type": "array", "items": OPEN},
    },
}
_PREDICTOR = {
    **OPEN,
    "properties": {
        "minReplicas": _WHOLE,
        "maxReplicas": _WHOLE,
        "containerConcurrency": _WHOLE,
        "timeout": _WHOLE,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "sklearn": _MODEL,
        "model": {
            **_MODEL,
            "properties": {
                **_MODEL["properties"],
                "runtime": {"type": "string"},
                "modelFormat": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
                },
            },
        },
    },
}

_TRAFFIC = ".status.components.predictor.traffic"

KIND = CustomKind(
    INFERENCE_SERVICE,
    schema={
        "spec": {**OPEN, "required": ["predictor"], "properties": {"predictor": _PREDICTOR}},
        "status": OPEN,
    },
    short_names=("isvc",),
    categories=("all",),
    columns=(
        Column("URL", ".status.url"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Prev", f"{_TRAFFIC}[?(@.tag=='prev')].percent", "integer"),
        Column("Latest", f"{_TRAFFIC}[?(@.latestRevision==true)].percent", "integer"),
        Column("PrevRolledoutRevision", f"{_TRAFFIC}[?(@.tag=='prev')].revisionName"),
        Column("LatestReadyRevision", f"{_TRAFFIC}[?(@.latestRevision==true)].revisionName"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)
