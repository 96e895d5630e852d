"""InferenceService as clients of KServe know it, and the words of its status.

The schema checks types of what we read and keeps everything else, so that `spec` can refuse by name what is not
supported; a schema that pruned it would ignore it in silence.
"""

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object

INFERENCE_SERVICE = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
COMPONENT_LABEL = "component"
RENDERED = "serving.fairway.dev/rendered"
"""On the Deployment, its pods and the routes: a digest of what was rendered, by which their version is known."""


def _whole(description: str) -> Object:
    return {"type": "integer", "description": description}


def _text(description: str) -> Object:
    return {"type": "string", "description": description}


def _texts(description: str) -> Object:
    return {"type": "object", "additionalProperties": {"type": "string"}, "description": description}


_MODEL = {
    "storageUri": _text("Where the model is: an absolute path, or file:///path, of a file or of its folder."),
    "protocolVersion": _text("v1 or v2; the server speaks both in any case."),
    "env": {"type": "array", "items": OPEN, "description": "PREDICT_PROBA=true answers with probabilities."},
    "resources": {**OPEN, "description": "Requests and limits of the server; 100m CPU and 256Mi unless given."},
}
_FORMAT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": _text("sklearn"), "version": _text("1; best left out.")},
}
_PREDICTOR = {
    **OPEN,
    "description": "What answers predictions. Has exactly one of model and sklearn.",
    "properties": {
        "minReplicas": _whole("How many servers run; 1 unless given."),
        "maxReplicas": _whole("Accepted; the number of servers is minReplicas."),
        "containerConcurrency": _whole("Predictions at once in each server; ten times as many may wait."),
        "timeout": _whole("Seconds after which the gateway gives a request up; 60 unless given."),
        "labels": _texts("Labels of the pods."),
        "annotations": _texts("Annotations of the pods."),
        "sklearn": {**OPEN, "description": "A scikit-learn model.", "properties": _MODEL},
        "model": {
            **OPEN,
            "description": "A model of any supported format.",
            "properties": {**_MODEL, "runtime": _text("kserve-sklearnserver; best left out."), "modelFormat": _FORMAT},
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
