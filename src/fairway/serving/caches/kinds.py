"""LocalModelCache, LocalModelNamespaceCache, LocalModelNodeGroup and LocalModelNode, as KServe has them."""

from __future__ import annotations

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object

_GROUP, _VERSION = "serving.kserve.io", "v1alpha1"

LOCAL_MODEL_CACHE = Kind(_GROUP, _VERSION, "LocalModelCache", "localmodelcaches", namespaced=False)
LOCAL_MODEL_NAMESPACE_CACHE = Kind(_GROUP, _VERSION, "LocalModelNamespaceCache", "localmodelnamespacecaches")
LOCAL_MODEL_NODE_GROUP = Kind(_GROUP, _VERSION, "LocalModelNodeGroup", "localmodelnodegroups", namespaced=False)
LOCAL_MODEL_NODE = Kind(_GROUP, _VERSION, "LocalModelNode", "localmodelnodes", namespaced=False)

CACHE_LABEL = "internal.serving.kserve.io/localmodel"
NODE_LABEL = "internal.serving.kserve.io/localmodel-node"
REMOVAL_LABEL = "internal.serving.kserve.io/localmodel-removal"
"""Of Jobs that take files away: the uid of their cache. Such a Job has no owner; it may be in another namespace."""
NAMESPACE_LABEL = "internal.serving.kserve.io/localmodel-namespace"

FINALIZERS = {
    LOCAL_MODEL_CACHE.kind: "localmodel.kserve.io/finalizer",
    LOCAL_MODEL_NAMESPACE_CACHE.kind: "localmodelnamespacecache.kserve.io/finalizer",
}

_TEXT: Object = {"type": "string"}
_AMOUNT: Object = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_CACHE: Object = {
    **OPEN,
    "required": ["sourceModelUri", "modelSize", "nodeGroups"],
    "properties": {
        "sourceModelUri": {
            **_TEXT,
            "description": "Services whose storageUri is this, or lies below it, use the cache.",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "StorageUri is immutable"}],
        },
        "modelSize": {**_AMOUNT, "description": "Counts against the storageLimit of the node group."},
        "nodeGroups": {"type": "array", "minItems": 1, "items": _TEXT, "description": "Where the model is kept."},
        "serviceAccountName": {**_TEXT, "description": "Whose secrets the download may use."},
        "storage": {
            **OPEN,
            "properties": {"parameters": OPEN},
            "description": "key and parameters of the secret storage-config.",
        },
    },
}
_TERM: Object = {**OPEN, "properties": {"matchExpressions": {"type": "array", "items": OPEN}}}
_AFFINITY: Object = {
    **OPEN,
    "properties": {"required": {**OPEN, "properties": {"nodeSelectorTerms": {"type": "array", "items": _TERM}}}},
}
_NODE_GROUP: Object = {
    **OPEN,
    "required": ["storageLimit", "persistentVolumeSpec", "persistentVolumeClaimSpec"],
    "properties": {
        "storageLimit": _AMOUNT,
        "persistentVolumeSpec": {
            **OPEN,
            "properties": {"local": OPEN, "hostPath": OPEN, "nodeAffinity": _AFFINITY},
            "description": "With local.path or hostPath.path, and the nodes it is for.",
        },
        "persistentVolumeClaimSpec": OPEN,
    },
}
_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_COPIES = (
    Column("Available", ".status.copies.available", "integer"),
    Column("Total", ".status.copies.total", "integer"),
    Column("Source", ".spec.sourceModelUri"),
    _AGE,
)

KINDS = (
    CustomKind(LOCAL_MODEL_CACHE, schema={"spec": _CACHE, "status": OPEN}, columns=_COPIES),
    CustomKind(LOCAL_MODEL_NAMESPACE_CACHE, schema={"spec": _CACHE, "status": OPEN}, columns=_COPIES),
    CustomKind(LOCAL_MODEL_NODE_GROUP, schema={"spec": _NODE_GROUP, "status": OPEN}, columns=(_AGE,)),
    CustomKind(LOCAL_MODEL_NODE, schema={"spec": OPEN, "status": OPEN}, columns=(_AGE,)),
)
