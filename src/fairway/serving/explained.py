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


_ENV = {
    **OPEN,
    "required": ["name"],
    "properties": {"name": _text("What it is called."), "value": _text("What it is.")},
}
_PORT = {
    **OPEN,
    "required": ["containerPort"],
    "properties": {"containerPort": _whole("Where it listens."), "name": _text("http1, or h2c and grpc for gRPC.")},
}
_ASKED = {"httpGet": _object("A path that answers."), "tcpSocket": _object("A port that is open.")}
_PROBES = {
    name: _object("As of any container.", _ASKED) for name in ("startupProbe", "readinessProbe", "livenessProbe")
}
_OF_CONTAINERS = {
    "ports": _list("Where it listens; 8080 unless given.", _PORT),
    "volumeMounts": _list("As of any container.", {**OPEN, "required": ["mountPath"]}),
    **_PROBES,
}
CONTAINER: Object = {
    **OPEN,
    "properties": {
        "name": _text("kserve-container is the one that serves; else the first is."),
        "image": _text("What it runs."),
        "command": _list("As of any container.", {"type": "string"}),
        "args": _list("As of any container.", {"type": "string"}),
        "env": _list("Its variables.", _ENV),
        "resources": _object("Requests and limits."),
        **_OF_CONTAINERS,
    },
}
NAMED: Object = {**OPEN, "required": ["name"], "properties": {"name": {"type": "string"}}}
NAMED_CONTAINER: Object = {**CONTAINER, "required": ["name"]}
_STORAGE = {
    "path": _text("Below the bucket."),
    "key": _text("The entry of the Secret."),
    "parameters": _object("What the entry does not say."),
}
_MODEL = {
    "storageUri": _text("Where the model is: a path or file:///path, s3://, gs://, https://, hf://, pvc://NAME/PATH."),
    "storage": _object("The same, with credentials by name: key, path and parameters of a storage Secret.", _STORAGE),
    "protocolVersion": _text("v1, v2 or grpc-v2; the built-in servers speak all of them in any case."),
    "runtimeVersion": _text("A tag for the runtime's image."),
    "env": _list("Variables of the server; PREDICT_PROBA=true answers with probabilities.", _ENV),
    "args": _list("Arguments that the server gets after its own.", {"type": "string"}),
    "resources": _object("Requests and limits of the server."),
    "runtime": _text("A ServingRuntime by name; best left out."),
    **_OF_CONTAINERS,
}
_FORMAT = {
    "type": "object",
    "required": ["name"],
    "description": "What the model was saved as.",
    "properties": {"name": _text("sklearn, xgboost, onnx, pytorch, mlflow, ..."), "version": _text("Best left out.")},
}
_METRIC = {
    **OPEN,
    "properties": {
        "type": _text("Resource."),
        "resource": _object("cpu or memory.", {"name": _text("Which."), "target": _object("How much of it.")}),
    },
}
_LOGGER = {
    "url": _text("An address that takes CloudEvents, or s3:// or file:///."),
    "mode": _text("all, request or response."),
    "metadataHeaders": _list("Headers that events tell of.", {"type": "string"}),
    "metadataAnnotations": _list("The service's annotations that events tell of.", {"type": "string"}),
    "storage": _object("Where files of events go.", {**_STORAGE, "serviceAccountName": _text("Whose secrets.")}),
    "batchSize": _whole("Events in a file."),
    "batchInterval": _text("After which a file is written that is not full, such as 10s."),
    "marshallerUrl": _text("Who writes files in another form."),
}
_WORKERS = {
    "pipelineParallelSize": _whole("Stages, each on a node."),
    "tensorParallelSize": _whole("Devices over which tensors are spread."),
    "containers": _list("Of the workers beside the head."),
}
_SOURCE = {
    **OPEN,
    "required": ["uri"],
    "properties": {"uri": _text("As storageUri."), "mountPath": _text("The folder; /mnt/models unless given.")},
}
_POD = {
    "volumes": _list("As of any pod.", NAMED),
    "initContainers": _list("As of any pod.", NAMED_CONTAINER),
    "tolerations": _list("As of any pod."),
    "imagePullSecrets": _list("As of any pod."),
    "nodeSelector": _texts("As of any pod."),
    "affinity": _object("As of any pod."),
    "serviceAccountName": _text("Who the pods are, and whose secrets fetch the model."),
}
_SCALING = {
    "minReplicas": _whole("The fewest servers; 1 unless given, and 0 lets the service sleep."),
    "maxReplicas": _whole(
        "The most servers. Without it minReplicas is what cpu and memory lead to; the others know no most."
    ),
    "scaleMetric": _text("What more servers are started for: concurrency, rps, cpu or memory."),
    "scaleTarget": _whole("How much of it one server is to have."),
    "autoScaling": _object(
        "The same by several metrics, as a HorizontalPodAutoscaler has them.",
        {"metrics": _list("Each a Resource.", _METRIC), "behavior": _object("How fast.")},
    ),
    "containerConcurrency": _whole("Predictions at once in each server; no limit unless given."),
}
_COMPONENT = {
    **_SCALING,
    "timeout": _whole("Seconds after which the gateway gives a request up; 60 unless given."),
    "logger": _object("Sends requests and answers as CloudEvents: url, and mode all, request or response.", _LOGGER),
    "batcher": _object("Puts requests together: maxBatchSize, maxLatency in milliseconds."),
    "labels": _texts("Labels of the pods."),
    "annotations": _texts("Annotations of the pods."),
    "containers": _list("Programs of your own, of which one is kserve-container.", CONTAINER),
    "storageUris": _list("Several models, each at a path of its own.", _SOURCE),
    "storageContainerName": _text("The ClusterStorageContainer that fetches the model."),
    "deploymentStrategy": _object("How new servers take the place of old ones."),
    **_POD,
}
_PREDICTOR = {
    **_COMPONENT,
    "model": _object(
        "A model of any supported format.",
        {**_MODEL, "modelFormat": _FORMAT},
    ),
    "canaryTrafficPercent": _whole("Of the requests, how many the newest version answers; the others the one before."),
    "name": _text("Of this version, where versions are tried side by side."),
    "workerSpec": _object("How a model is spread over devices.", _WORKERS),
    **{name: _object(f"The same as model, of the format {name}.", _MODEL) for name in FRAMEWORKS},
}

_TRIED = {
    **OPEN,
    "properties": {"predictor": _object("What differs from the predictor, and a name of its own.", _PREDICTOR)},
}

SPEC: Object = {
    **OPEN,
    "required": ["predictor"],
    "properties": {
        "predictor": _object("What answers predictions: exactly one model, or containers.", _PREDICTOR),
        "transformer": _object("A program before and after the predictor.", _COMPONENT),
        "explainer": _object("A program that answers :explain, and may ask the predictor.", _COMPONENT),
        "canary": _list("Versions beside the predictor, each with a name and its part of the traffic.", _TRIED),
    },
}
