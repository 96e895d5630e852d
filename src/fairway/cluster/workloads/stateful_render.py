"""What a StatefulSet should do next: from it and its pods to pods and claims to make, pods to delete, a status. Pure.

Pods have names of their own that end in an ordinal, and keep their claims. Unless the set is Parallel, one step waits
for the other: a pod is made when all before it are available, and goes when all after it have gone. A new version
goes from the highest ordinal down to the partition, no more at once than maxUnavailable.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from fairway.cluster.workloads import pods, revisions, rollout, stateful_claims
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM, Object

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
_BURST = 500  # pods created in one go


@dataclass(frozen=True)
class Decision:
    status: Object
    create: tuple[Object, ...] = ()
    claims: tuple[Object, ...] = ()
    """Claims of the pods to create; those that are there already stay as they are."""
    delete: tuple[Object, ...] = ()
    again: float | None = None


@dataclass(frozen=True)
class _Seen:
    """The set as it is: its pods by ordinal, those beyond its size, and the versions it moves between."""

    wanted: range
    pods: dict[int, Object]
    surplus: dict[int, Object]
    current: str
    update: str
    known: tuple[Object, ...]
    now: float
    min_ready: int = 0
    waits: list[float] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return len(self.pods) == len(self.wanted)

    def available(self, pod: Object) -> bool:
        wait = pods.available_in(pod, self.min_ready, self.now)
        if wait:
            self.waits.append(wait)
        return pods.phase(pod) == "Running" and not meta.being_deleted(pod) and wait == 0


def decide(obj: Object, owned: Iterable[Object], known: Iterable[Object], update: str, now: float) -> Decision:
    """`known` are the set's ControllerRevisions, `update` the name of the one that is wanted."""
    seen = _seen(obj, owned, tuple(known), update, now)
    over = [pod for pod in seen.pods.values() if pods.over(pod) and not meta.being_deleted(pod)]
    # A set may want more pods than there will ever be: its ordinals are never written out.
    missing = (ordinal for ordinal in seen.wanted if ordinal not in seen.pods)
    create: list[int] = []
    delete: list[Object] = list(over)
    if _parallel(obj):
        create = list(itertools.islice(missing, _BURST))
        delete += [pod for pod in seen.surplus.values() if not meta.being_deleted(pod)]
    else:
        create = [ordinal for ordinal in itertools.islice(missing, 1) if _all_available(seen, before=ordinal)]
        if seen.whole and not over and _all_available(seen):
            highest = seen.surplus[max(seen.surplus)] if seen.surplus else None
            delete += [highest] if highest and not meta.being_deleted(highest) else []
    if not create and not delete:
        delete += _outdated(obj, seen, settled=seen.whole and not seen.surplus)
    made = [_pod(obj, ordinal, seen) for ordinal in create]
    return Decision(
        _status(obj, seen),
        tuple(made),
        tuple(claim for ordinal in create for claim in _claims(obj, ordinal)),
        tuple(delete),
        min(seen.waits, default=None),
    )


def _seen(obj: Object, owned: Iterable[Object], known: tuple[Object, ...], update: str, now: float) -> _Seen:
    spec = obj["spec"]
    start = int((spec.get("ordinals") or {}).get("start") or 0)
    wanted = range(start, start + int(spec.get("replicas", 1)))
    by_ordinal = {ordinal: pod for pod in owned if (ordinal := ordinal_of(obj, pod)) is not None}
    return _Seen(
        wanted,
        {ordinal: pod for ordinal, pod in by_ordinal.items() if ordinal in wanted},
        {ordinal: pod for ordinal, pod in by_ordinal.items() if ordinal not in wanted},
        str((obj.get("status") or {}).get("currentRevision") or update),
        update,
        known,
        now,
        int(spec.get("minReadySeconds") or 0),
    )


def wants(obj: Object, pod: Object) -> bool:
    """Whether the pod is one of those that the set should have, by its name."""
    start = int((obj["spec"].get("ordinals") or {}).get("start") or 0)
    ordinal = ordinal_of(obj, pod)
    return ordinal is not None and start <= ordinal < start + int(obj["spec"].get("replicas", 1))


def ordinal_of(obj: Object, pod: Object) -> int | None:
    base, _, number = meta.name(pod).rpartition("-")
    return int(number) if base == meta.name(obj) and number.isdecimal() else None


def _parallel(obj: Object) -> bool:
    return bool(obj["spec"].get("podManagementPolicy") == "Parallel")


def _all_available(seen: _Seen, before: int | None = None) -> bool:
    ordinals = seen.wanted if before is None else range(seen.wanted.start, before)
    return all(ordinal in seen.pods and seen.available(seen.pods[ordinal]) for ordinal in ordinals)


# Versions


def _outdated(obj: Object, seen: _Seen, *, settled: bool) -> list[Object]:
    """The next pods to replace by the new version: from the highest ordinal, as many as may be away.

    A pod of the old version that does not answer is no loss, whatever else goes on: it would hold all up for ever.
    """
    strategy = obj["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return []
    rolling = strategy.get("rollingUpdate") or {}
    allowed = max(1, rollout.resolve(rolling.get("maxUnavailable", 1), len(seen.wanted), math.floor))
    away = sum(1 for pod in seen.pods.values() if not seen.available(pod))
    old = [
        seen.pods[ordinal]
        for ordinal in sorted(seen.pods, reverse=True)
        if ordinal >= int(rolling.get("partition") or 0) and _revision(seen.pods[ordinal]) != seen.update
    ]
    broken = [pod for pod in old if not seen.available(pod) and not meta.being_deleted(pod)]
    whole = [pod for pod in old if seen.available(pod)]
    return broken or (whole[: max(0, allowed - away)] if settled else [])


def _revision(pod: Object) -> str:
    return meta.labels(pod).get(revisions.HASH, "")


def _revision_for(obj: Object, ordinal: int, seen: _Seen) -> str:
    strategy = obj["spec"].get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    return seen.update if ordinal >= partition or seen.current == seen.update else seen.current


# Pods and claims


def _pod(obj: Object, ordinal: int, seen: _Seen) -> Object:
    name, revision = f"{meta.name(obj)}-{ordinal}", _revision_for(obj, ordinal, seen)
    template = revisions.template_of(obj, seen.known, revision) if revision != seen.update else obj["spec"]["template"]
    labels = {POD_NAME: name, POD_INDEX: str(ordinal), revisions.HASH: revision}
    pod = pods.from_template(template, name, obj, labels=labels)
    claimed = [
        {"name": meta.name(claim), "persistentVolumeClaim": {"claimName": stateful_claims.name(claim, name)}}
        for claim in obj["spec"].get("volumeClaimTemplates") or ()
    ]
    taken = {volume["name"] for volume in claimed}
    others = [volume for volume in pod["spec"].get("volumes") or () if volume.get("name") not in taken]
    spec = {**pod["spec"], "hostname": name, "volumes": [*others, *claimed]}
    if obj["spec"].get("serviceName"):
        spec["subdomain"] = obj["spec"]["serviceName"]
    return {**pod, "spec": spec}


def _claims(obj: Object, ordinal: int) -> Iterable[Object]:
    pod = f"{meta.name(obj)}-{ordinal}"
    policy = obj["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    for template in obj["spec"].get("volumeClaimTemplates") or ():
        metadata = template.get("metadata") or {}
        labels = {**(metadata.get("labels") or {}), **(obj["spec"]["selector"].get("matchLabels") or {})}
        made = {"labels": labels, "annotations": metadata.get("annotations") or {}}
        if policy.get("whenDeleted") == "Delete":
            made["ownerReferences"] = [meta.owner_reference(obj)]
        yield PERSISTENT_VOLUME_CLAIM.new(
            stateful_claims.name(template, pod), meta.namespace(obj), metadata=made, spec=template["spec"]
        )


def _status(obj: Object, seen: _Seen) -> Object:
    alive = [*seen.pods.values(), *seen.surplus.values()]
    staying = [pod for pod in alive if pods.active(pod)]
    updated = [pod for pod in staying if _revision(pod) == seen.update]
    done = (
        seen.whole
        and all(_revision(pod) == seen.update and seen.available(pod) for pod in seen.pods.values())
        and not seen.surplus
    )
    current = seen.update if done else seen.current
    return {
        "observedGeneration": obj["metadata"].get("generation", 0),
        "replicas": len(staying),
        "readyReplicas": sum(1 for pod in staying if pods.ready(pod)) or None,
        "availableReplicas": sum(1 for pod in staying if seen.available(pod)),
        "currentReplicas": sum(1 for pod in staying if _revision(pod) == current) or None,
        "updatedReplicas": len(updated) or None,
        "currentRevision": current,
        "updateRevision": seen.update,
        "collisionCount": 0,
    }
