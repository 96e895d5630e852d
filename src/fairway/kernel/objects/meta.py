"""Reading an object's metadata: names, labels, owners. Nothing here changes an object."""

from typing import Any

from fairway.kernel.objects.kinds import Object

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is empty."""


def name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace") or "")


def key(obj: Object) -> Key:
    metadata: Object = obj["metadata"]  # asked of every object of every list: two calls less count
    return metadata.get("namespace") or "", metadata["name"]


def uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid") or "")


def labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def revision(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def being_deleted(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def owner_reference(owner: Object, *, controller: bool = True) -> dict[str, Any]:
    """What a child carries in metadata.ownerReferences so that it goes when its owner goes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The one owner that manages the object, if it has one."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def controlled_by(obj: Object, owner: Object) -> bool:
    """Whether that owner is the one that manages the object."""
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid(owner)


def owned_by(obj: Object, owner: Object) -> bool:
    wanted = uid(owner)
    return any(ref.get("uid") == wanted for ref in obj["metadata"].get("ownerReferences") or ())
