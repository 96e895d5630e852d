"""LLMInferenceService and LLMInferenceServiceConfig, as KServe has them."""

from __future__ import annotations

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object
from fairway.serving.explained import CONTAINER

_GROUP, _VERSION, _OLDER = "serving.kserve.io", "v1alpha2", ("v1alpha1",)

LLM_SERVICE = Kind(_GROUP, _VERSION, "LLMInferenceService", "llminferenceservices")
LLM_CONFIG = Kind(_GROUP, _VERSION, "LLMInferenceServiceConfig", "llminferenceserviceconfigs")

_MODEL: Object = {
    **OPEN,
    "properties": {
        "uri": {"type": "string", "description": "hf://owner/model, or any address that a model may have."},
        "name": {"type": "string", "description": "What requests call it; the service's name unless given."},
    },
}
_REFERENCE: Object = {**OPEN, "properties": {"name": {"type": "string"}}}
_SPEC: Object = {
    **OPEN,
    "properties": {
        "model": _MODEL,
        "replicas": {"type": "integer", "minimum": 0},
        "template": {
            **OPEN,
            "description": "The pod; its container main is the server.",
            "properties": {"containers": {"type": "array", "items": CONTAINER}},
        },
        "router": {**OPEN, "properties": {"route": OPEN, "gateway": OPEN}},
        "parallelism": OPEN,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "baseRefs": {
            "type": "array",
            "items": _REFERENCE,
            "description": "LLMInferenceServiceConfigs that lie below this.",
        },
    },
}

KINDS = (
    CustomKind(
        LLM_SERVICE,
        schema={"spec": {**_SPEC, "required": ["model"]}, "status": OPEN},
        short_names=("llmisvc",),
        columns=(
            Column("URL", ".status.url"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            Column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        older=_OLDER,
    ),
    CustomKind(LLM_CONFIG, schema={"spec": _SPEC, "status": OPEN}, older=_OLDER),
)
