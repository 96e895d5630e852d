"""ClusterStorageContainer, as KServe has it: a container that fetches models from addresses that we do not read."""

from __future__ import annotations

from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind, Object
from fairway.serving.explained import CONTAINER

CLUSTER_STORAGE_CONTAINER = Kind(
    "serving.kserve.io", "v1alpha1", "ClusterStorageContainer", "clusterstoragecontainers", namespaced=False
)

_TEXT: Object = {"type": "string"}
_URI_FORMAT: Object = {"type": "object", "properties": {"prefix": _TEXT, "regex": _TEXT}}
_SPEC: Object = {
    **OPEN,
    "required": ["container", "supportedUriFormats"],
    "properties": {
        "container": {**CONTAINER, "description": "It is given the address and the folder as its last two arguments."},
        "supportedUriFormats": {"type": "array", "items": _URI_FORMAT},
        "workloadType": {"type": "string", "enum": ["initContainer", "localModelDownloadJob"]},
        "supportsMultiModelDownload": {"type": "boolean", "description": "It takes several pairs of arguments."},
    },
}

KIND = CustomKind(
    CLUSTER_STORAGE_CONTAINER,
    schema={"spec": _SPEC, "disabled": {"type": "boolean"}},
    columns=(Column("Age", ".metadata.creationTimestamp", "date"),),
    status=False,
)
