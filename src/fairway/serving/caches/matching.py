"""Which cache a model is in, and where in its volume; which nodes a group means. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.caches.kinds import LOCAL_MODEL_NAMESPACE_CACHE

DISABLED = "serving.kserve.io/disable-localmodel"
NODE_GROUP = "serving.kserve.io/nodegroup"


@dataclass(frozen=True, slots=True)
class Cached:
    """The claim of the cache, and the path of the model within it."""

    cache: Object
    group: str
    claim: str
    path: str


@dataclass(frozen=True, slots=True)
class Folder:
    """Of one model, on one node."""

    node: str
    path: str


def find(uri: str, isvc: Object, caches: Iterable[Object]) -> Cached | None:
    """The cache that a service's model is in and that is whole: those of its namespace come first."""
    if DISABLED in meta.annotations(isvc):
        return None
    wanted = meta.annotations(isvc).get(NODE_GROUP)
    mine = [one for one in caches if meta.namespace(one) in ("", meta.namespace(isvc))]
    for cache in sorted(mine, key=lambda one: (not is_namespaced(one), meta.name(one))):
        below = beneath(cache["spec"]["sourceModelUri"], uri)
        groups = cache["spec"]["nodeGroups"]
        if below is None or not is_whole(cache) or _comes_too_late(isvc, cache) or (wanted and wanted not in groups):
            continue
        group = wanted or groups[0]
        return Cached(cache, group, claim_name(cache, group), f"{folder(cache)}{below}")
    return None


def beneath(source: str, uri: str) -> str | None:
    """What comes after the cache's own address, None where it is another.

    >>> beneath("s3://b/m", "s3://b/m"), beneath("s3://b/m/", "s3://b/m/v1"), beneath("s3://b/m", "s3://b/mm")
    ('', '/v1', None)
    """
    source, uri = source.rstrip("/"), uri.rstrip("/")
    if uri == source:
        return ""
    return uri[len(source) :] if uri.startswith(f"{source}/") else None


def folder(cache: Object) -> str:
    """Below the volume: the same for all caches of the same address, so that it is kept once."""
    return f"models/{hashlib.sha256(cache['spec']['sourceModelUri'].encode()).hexdigest()[:16]}"


def place(cache: Object, group: Object) -> str:
    """Where the cache's files are on the group's nodes."""
    return f"{volume_path(group).rstrip('/')}/{folder(cache)}"


def claim_name(cache: Object, group: str) -> str:
    return f"{meta.name(cache)}-{group}"


def is_namespaced(cache: Object) -> bool:
    return bool(cache["kind"] == LOCAL_MODEL_NAMESPACE_CACHE.kind)


def is_leaving(cache: Object) -> bool:
    """Nobody uses it, and nobody will: one that is deleted while services use it stays whole until they do not."""
    return meta.being_deleted(cache) and not is_whole(cache)


def is_whole(cache: Object) -> bool:
    """On every node that is to have it."""
    copies = (cache.get("status") or {}).get("copies") or {}
    total, available = int(copies.get("total") or 0), int(copies.get("available") or 0)
    return 0 < total == available


def nodes(group: Object, all_nodes: Sequence[Object]) -> list[Object]:
    """Those that the volume's affinity names; all where it names none."""
    required = (group["spec"]["persistentVolumeSpec"].get("nodeAffinity") or {}).get("required") or {}
    terms = required.get("nodeSelectorTerms") or ()
    if not terms:
        return list(all_nodes)
    return [node for node in all_nodes if any(_matches(node, term) for term in terms)]


def volume_path(group: Object) -> str:
    """Where the group's volume is on its nodes; empty where it is of a kind that is not served."""
    spec = group["spec"]["persistentVolumeSpec"]
    return str((spec.get("local") or spec.get("hostPath") or {}).get("path") or "")


def _comes_too_late(isvc: Object, cache: Object) -> bool:
    """A service that came after somebody had deleted the cache does not hold it up."""
    deleted = cache["metadata"].get("deletionTimestamp")
    return bool(deleted) and (isvc["metadata"].get("creationTimestamp") or "") > deleted


def _matches(node: Object, term: Object) -> bool:
    labels = {"kubernetes.io/hostname": meta.name(node), **meta.labels(node)}
    return all(_holds(labels, one) for one in term.get("matchExpressions") or ())


def _holds(labels: dict[str, str], one: Object) -> bool:
    value, values = labels.get(one.get("key") or ""), one.get("values") or ()
    match one.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
