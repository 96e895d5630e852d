"""DefaultStorageClass and StorageObjectInUseProtection: claims get the default class, and what is used stays.

The finalizers are taken off again by a controller (workloads.protection), once no pod uses the claim and no claim the
volume.
"""

from __future__ import annotations

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS, Object

DEFAULT = "storageclass.kubernetes.io/is-default-class"
_OLDER_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"
_OLDER_CLASS = "volume.beta.kubernetes.io/storage-class"
_PROTECTION = {
    PERSISTENT_VOLUME_CLAIM.resource: "kubernetes.io/pvc-protection",
    PERSISTENT_VOLUME.resource: "kubernetes.io/pv-protection",
}


class Storage(Step):
    resources = tuple(_PROTECTION)

    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, request: Request) -> bool:
        return request.operation == "CREATE" and not request.subresource

    async def mutate(self, request: Request) -> None:
        metadata, finalizer = request.object["metadata"], _PROTECTION[request.resource]
        if finalizer not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]
        if request.resource == PERSISTENT_VOLUME_CLAIM.resource:
            self._choose_class(request.object)

    def _choose_class(self, claim: Object) -> None:
        """An empty name says that no class is wanted; no name says that any is."""
        if claim["spec"].get("storageClassName") is not None or _OLDER_CLASS in meta.annotations(claim):
            return
        classes = [record.object for record in self._store.list(STORAGE_CLASS.resource).records]
        if defaults := [each for each in classes if _is_default(each)]:
            newest = max(defaults, key=lambda each: each["metadata"]["creationTimestamp"])
            claim["spec"]["storageClassName"] = meta.name(newest)


def _is_default(class_: Object) -> bool:
    return any(meta.annotations(class_).get(word) == "true" for word in (DEFAULT, _OLDER_DEFAULT))
