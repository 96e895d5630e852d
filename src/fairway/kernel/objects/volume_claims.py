"""Whose a PersistentVolume is: it says so itself, in its claimRef.

The claim names a volume, which anybody's may. So who binds the two, and who mounts one for a pod, both ask here.
"""

from __future__ import annotations

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM, Object


def reference(claim: Object) -> Object:
    """How a volume says that it is this claim's."""
    return {
        "apiVersion": PERSISTENT_VOLUME_CLAIM.api_version,
        "kind": PERSISTENT_VOLUME_CLAIM.kind,
        "namespace": meta.namespace(claim),
        "name": meta.name(claim),
        "uid": meta.uid(claim),
    }


def claimed_by(claim: Object, volume: Object) -> bool:
    """Whether the volume is meant for this claim, by who made it or because a binding has begun."""
    owner = volume["spec"].get("claimRef") or {}
    named = (owner.get("namespace"), owner.get("name")) == meta.key(claim)
    return named and owner.get("uid") in (None, "", meta.uid(claim))


def free_for(claim: Object, volume: Object) -> bool:
    """Whether the volume is nobody's, or meant for this claim."""
    return not volume["spec"].get("claimRef") or claimed_by(claim, volume)
