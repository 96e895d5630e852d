"""InferenceGraph as clients of KServe know it, with fields of ours that say so in their descriptions."""

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object

INFERENCE_GRAPH = Kind("serving.kserve.io", "v1alpha1", "InferenceGraph", "inferencegraphs")

GRAPH_LABEL = "serving.kserve.io/inferencegraph"
STOP = "serving.kserve.io/stop"
MODE = "serving.kserve.io/deploymentMode"
PROPAGATE = "serving.fairway.dev/propagate-headers"
"""An annotation: patterns, with commas between, of the request's headers that go to every step."""

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}


def _whole(description: str) -> Object:
    return {"type": "integer", "format": "int64", "description": description}


def _text(description: str) -> Object:
    return {**_TEXT, "description": description}


_STEP: Object = {
    **OPEN,
    "properties": {
        "name": _text("Its key in an Ensemble's answer; its index unless given."),
        "nodeName": _text("Another node of this graph."),
        "serviceName": _text("An InferenceService of this namespace."),
        "serviceUrl": _text("Any address that takes a POST."),
        "data": _text("$request, or $response of the step before."),
        "mapPredictionsToInstances": {
            **_FLAG,
            "description": "Rename predictions to instances; beyond KServe, also V2's outputs to inputs.",
        },
        "weight": _whole("Percent of the requests, in a Splitter; all together 100."),
        "condition": _text("A path in gjson's syntax that must lead somewhere; see the guide for what is understood."),
        "dependency": {**_TEXT, "enum": ["Soft", "Hard"], "description": "Whether its failure ends the node."},
        "default": {**_FLAG, "description": "Beyond KServe: taken in a Switch where no condition holds."},
        "timeout": _whole("Beyond KServe: seconds for its answer."),
        "retries": _whole("Beyond KServe: how often it is asked again where it cannot be reached, or 502, 503, 504."),
    },
}
_NODE: Object = {
    **OPEN,
    "required": ["routerType"],
    "properties": {
        "routerType": {**_TEXT, "enum": ["Sequence", "Splitter", "Ensemble", "Switch"]},
        "steps": {"type": "array", "items": _STEP},
        "merge": {
            **_TEXT,
            "enum": ["average", "majority", "concatenate"],
            "description": "Beyond KServe: an Ensemble's answers made into one, row by row.",
        },
    },
}
_TIMEOUTS: Object = {
    **OPEN,
    "properties": {
        "serverRead": _whole("Seconds in which a request must have arrived; 60."),
        "serverWrite": _whole("Seconds in which its answer must have begun; 60."),
        "serverIdle": _whole("Seconds that a connection lives without a request; 180."),
        "serviceClient": _whole("Seconds for each answer of a step; none unless given."),
    },
}
_SPEC: Object = {
    **OPEN,
    "required": ["nodes"],
    "properties": {
        "nodes": {"type": "object", "additionalProperties": _NODE, "description": "One of them is called root."},
        "resources": OPEN,
        "affinity": OPEN,
        "tolerations": {"type": "array", "items": OPEN},
        "nodeSelector": {"type": "object", "additionalProperties": _TEXT},
        "nodeName": _TEXT,
        "serviceAccountName": _TEXT,
        "timeout": _whole("Seconds after which the gateway gives a request up; 60 unless given."),
        "routerTimeouts": _TIMEOUTS,
        "minReplicas": _whole("How many routers run; 1 unless given."),
        "maxReplicas": _whole("Up to how many, by CPU or memory."),
        "scaleTarget": _whole("Percent of the CPU or memory that was asked for; 80 unless given."),
        "scaleMetric": {**_TEXT, "enum": ["cpu", "memory", "concurrency", "rps"]},
    },
}

KIND = CustomKind(
    INFERENCE_GRAPH,
    schema={"spec": _SPEC, "status": OPEN},
    short_names=("ig",),
    categories=("all",),
    columns=(
        Column("URL", ".status.url"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
)
