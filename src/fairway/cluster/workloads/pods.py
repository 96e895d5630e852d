"""What controllers ask about a pod: is it over, ready, available, leaving, and what does it request. Pure.

Every other module of the room reads pods through these functions, so that "ready" means one thing.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta, pod_totals
from fairway.kernel.objects.kinds import Object

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # upstream's: no vowels, so no words


def phase(pod: Object) -> str:
    return (pod.get("status") or {}).get("phase") or "Pending"


def over(pod: Object) -> bool:
    """All its containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def active(pod: Object) -> bool:
    """It counts as one of its owner's replicas: neither over nor on its way out."""
    return not over(pod) and not meta.being_deleted(pod)


def gone(pod: Object) -> bool:
    """It is being deleted and nothing of it runs any more, or ever did."""
    metadata = pod["metadata"]
    return meta.being_deleted(pod) and (not node_name(pod) or metadata.get("deletionGracePeriodSeconds") == 0)


def ended(pod: Object) -> float:
    """When its last container ended; for want of that when it was asked to go, or was born."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [
        clock.parse(end)
        for status in statuses
        if (end := ((status.get("state") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    metadata = pod["metadata"]
    other = metadata.get("deletionTimestamp") or metadata.get("creationTimestamp")
    return max(ends, default=clock.parse(other) if other else 0.0)


def ready(pod: Object) -> bool:
    return conditions.is_true(pod, "Ready")


def available_in(pod: Object, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the pod has been ready for long enough: 0 when it has, None when it is not ready."""
    condition = conditions.find(pod, "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    since = condition.get("lastTransitionTime")
    if not min_ready_seconds or not since:
        return 0.0
    return max(0.0, clock.parse(since) + min_ready_seconds - now)


def node_name(pod: Object) -> str:
    return (pod.get("spec") or {}).get("nodeName") or ""


def requests(pod: Object) -> dict[str, Decimal]:
    """What the scheduler must find room for. A limit without a request counts as the request."""
    return pod_totals.total(pod, _asked)


def from_template(template: Object, name: str, owner: Object, *, labels: dict[str, str] | None = None) -> Object:
    """A pod of a controller: the template with a name and the owner."""
    metadata = template.get("metadata") or {}
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta.namespace(owner),
            "labels": {**(metadata.get("labels") or {}), **(labels or {})},
            "ownerReferences": [meta.owner_reference(owner)],
        },
        "spec": template.get("spec") or {},
    }
    for part in ("annotations", "finalizers"):
        if metadata.get(part):
            made["metadata"][part] = metadata[part]
    return made


def slug(*parts: object, length: int = 5) -> str:
    """A short text that looks random and is always the same for the same parts.

    Names made of it are what makes creation safe to repeat: a controller that has not yet seen the pod it
    created makes the same name again, and is told that it exists.

    >>> slug("a", 1) == slug("a", 1) != slug("a", 2)
    True
    """
    digest = hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:length])


def fingerprint(value: Any, length: int = 10) -> str:
    """The same for equal JSON values, as pod-template-hash is."""
    return slug(json.dumps(value, sort_keys=True, separators=(",", ":")), length=length)


def _asked(container: Object) -> dict[str, Decimal]:
    return {**pod_totals.part(container, "limits"), **pod_totals.part(container, "requests")}
