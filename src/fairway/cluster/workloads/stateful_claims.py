"""Whose a claim of a StatefulSet's pod is, and so with whom it goes: the set's, the pod's, or nobody's. Pure.

As the set's persistentVolumeClaimRetentionPolicy says now, and not as it said when the claim was made. The claims of a
pod that is scaled away are given to the pod, and go when it has gone: until then the set may want it again, with all
that it has written. A claim that somebody else controls is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object


def names(obj: Object, pod: str) -> Iterable[str]:
    """The names of a pod's claims."""
    for template in obj["spec"].get("volumeClaimTemplates") or ():
        yield name(template, pod)


def name(template: Object, pod: str) -> str:
    return f"{meta.name(template)}-{pod}"


def owners(obj: Object, pod: Object, claim: Object, *, leaving: bool) -> list[Object] | None:
    """The owners that the claim should have; None where it has them. `leaving`: the set no longer wants the pod."""
    said: list[Object] = claim["metadata"].get("ownerReferences") or []
    others = [each for each in said if not _ours(each, obj, pod)]
    if any(each.get("controller") for each in others):
        return None
    policy = obj["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    wanted = list(others)
    if leaving and policy.get("whenScaled") == "Delete":
        wanted.append(meta.owner_reference(pod))
    elif policy.get("whenDeleted") == "Delete":
        wanted.append(meta.owner_reference(obj))
    return None if [each["uid"] for each in wanted] == [each["uid"] for each in said] else wanted


def _ours(reference: Object, obj: Object, pod: Object) -> bool:
    """The set, or a pod of that name, which may be an earlier one."""
    named = (reference["apiVersion"], reference["kind"], reference["name"])
    return reference["uid"] == meta.uid(obj) or named == ("v1", "Pod", meta.name(pod))
