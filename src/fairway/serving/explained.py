"""What `kubectl explain inferenceservice` says: the fields that people write, and what each does here.

It checks the types of what is read and keeps everything else (see `kinds`); which fields are understood stands in
`spec.fields`.
"""

from __future__ import annotations

from fairway.kernel.objects.crds import OPEN
from fairway.kernel.objects.kinds import Object
from fairway.serving.spec.defaults import FRAMEWORKS


def _whole(description: str) -> Object:
    return {"type": "integer", "description": description}


def _text(description: str) -> Object:
    return {"type": "string", "description": description}


def _texts(description: str) -> Object:
    return {"type": "object", "additionalProperties": {"type": "string"}, "description": description}


def _list(description: str, items: Object = OPEN) -> Object:
    return {"type": "array", "items": items, "description": description}


def _object(description: str, properties: Object | None = None) -> Object:
    return {**OPEN, "description": description, **({"properties": properties} if properties else {})}


_MODEL = {
    "storageUri": _text("Where the model is: a path or file:///path, s3://, gs://, https://, hf://, pvc://NAME/PATH."),
    "storage": _object("The same, with credentials by name: key, path and parameters of a storage Secret."),
    "protocolVersion": _text("v1, v2 or grpc-v2; the built-in servers speak all of them in any case."),
    "runtimeVersion": _text("A tag for the runtime's image."),
    "env": _list("Variables of the server; PREDICT_PROBA=true answers with probabilities."),
    "args": _list("Arguments that the server gets after its own.", {"type": "string"}),
    "resources": _object("Requests and limits of the server."),
}
_FORMAT = {
    "type": "object",
    "required": ["name"],
    "description": "What the model was saved as.",
    "properties": {"name": _text("sklearn, xgboost, onnx, pytorch, mlflow, ..."), "version": _text("Best left out.")},
}
_SCALING = {
    "minReplicas": _whole("The fewest servers; 1 unless given, and 0 lets the service sleep."),
    "maxReplicas": _whole(
        "The most servers. Without it minReplicas is what cpu and memory lead to; the others know no most."
    ),
    "scaleMetric": _text("What more servers are started for: concurrency, rps, cpu or memory."),
    "scaleTarget": _whole("How much of it one server is to have."),
    "autoScaling": _object("The same by several metrics, as a HorizontalPodAutoscaler has them."),
    "containerConcurrency": _whole("Predictions at once in each server; no limit unless given."),
}
_COMPONENT = {
    **_SCALING,
    "timeout": _whole("Seconds after which the gateway gives a request up; 60 unless given."),
    "logger": _object("Sends requests and answers as CloudEvents: url, and mode all, request or response."),
    "batcher": _object("Puts requests together: maxBatchSize, maxLatency in milliseconds."),
    "labels": _texts("Labels of the pods."),
    "annotations": _texts("Annotations of the pods."),
    "containers": _list("Programs of your own, of which one is kserve-container."),
    "deploymentStrategy": _object("How new servers take the place of old ones."),
}
_PREDICTOR = {
    **_COMPONENT,
    "model": _object(
        "A model of any supported format.",
        {**_MODEL, "modelFormat": _FORMAT, "runtime": _text("A ServingRuntime by name; best left out.")},
    ),
    "canaryTrafficPercent": _whole("Of the requests, how many the newest version answers; the others the one before."),
    **{name: _object(f"The same as model, of the format {name}.", _MODEL) for name in FRAMEWORKS},
}

SPEC: Object = {
    **OPEN,
    "required": ["predictor"],
    "properties": {
        "predictor": _object("What answers predictions: exactly one model, or containers.", _PREDICTOR),
        "transformer": _object("A program before and after the predictor.", _COMPONENT),
        "explainer": _object("A program that answers :explain, and may ask the predictor.", _COMPONENT),
        "canary": _list("Versions beside the predictor, each with a name and its part of the traffic."),
    },
}
