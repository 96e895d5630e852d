"""What a Deployment says of itself: counts, and the conditions Available and Progressing. Pure.

The words are upstream's, because `kubectl rollout status` and operators read them.
"""

from __future__ import annotations

from typing import Any

from fairway.cluster.workloads.rollout import Limits
from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object

_NEVER = 2**31 - 1  # upstream's way to say that there is no deadline


def describe(
    deployment: Object, new: Object | None, sets: list[Object], allowed: Limits, now: float
) -> tuple[Object, float | None]:
    """The status as it should be, and in how many seconds the progress deadline must be looked at again."""
    counts = _counts(deployment, new, sets)
    moment = clock.timestamp(now)
    said = deployment.get("status") or {}
    enough = counts["availableReplicas"] >= allowed.replicas - allowed.unavailable
    available = (
        ("Available", True, "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else ("Available", False, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    progress, due = _progress(deployment, new, counts, now)
    before = [item for item in said.get("conditions") or () if item["type"] != "ReplicaFailure"]
    failure = next((found for one in sets if (found := conditions.find(one, "ReplicaFailure"))), None)
    wanted = conditions.merged(before, moment, available, progress)
    moved = _moved(said, counts)
    for item in wanted:
        old = conditions.find(deployment, item["type"]) or {}
        same = all(old.get(part) == item.get(part) for part in ("status", "reason", "message"))
        keep = same and not (item["type"] == "Progressing" and moved)
        item["lastUpdateTime"] = old.get("lastUpdateTime", moment) if keep else moment
    if failure:
        wanted.append({**failure, "lastUpdateTime": failure["lastTransitionTime"]})
    return {**counts, "conditions": wanted}, due


def _counts(deployment: Object, new: Object | None, sets: list[Object]) -> dict[str, Any]:
    def total(field: str, among: list[Object]) -> int:
        return sum(int((one.get("status") or {}).get(field) or 0) for one in among)

    replicas = int(deployment["spec"].get("replicas", 1))
    available = total("availableReplicas", sets)
    return {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": total("replicas", sets),
        "updatedReplicas": total("replicas", [new] if new else []),
        "readyReplicas": total("readyReplicas", sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, max(replicas, total("replicas", sets)) - available),
    }


def _complete(deployment: Object, counts: dict[str, Any]) -> bool:
    replicas = int(deployment["spec"].get("replicas", 1))
    return bool(
        counts["updatedReplicas"] == replicas
        and counts["replicas"] == replicas
        and counts["availableReplicas"] == replicas
    )


def _moved(said: Object, counts: dict[str, Any]) -> bool:
    """Anything newer, ready or gone since the last report is progress, and starts the deadline again."""

    def grew(field: str) -> bool:
        return bool(counts[field] > int(said.get(field) or 0))

    old_before = int(said.get("replicas") or 0) - int(said.get("updatedReplicas") or 0)
    fewer_old = counts["replicas"] - counts["updatedReplicas"] < old_before
    return grew("updatedReplicas") or grew("readyReplicas") or grew("availableReplicas") or fewer_old


Condition = tuple[str, "bool | None", str, str]


def _progress(
    deployment: Object, new: Object | None, counts: dict[str, Any], now: float
) -> tuple[Condition, float | None]:
    name = meta.name(deployment)
    before = conditions.find(deployment, "Progressing") or {}
    if deployment["spec"].get("paused"):
        return ("Progressing", None, "DeploymentPaused", "Deployment is paused"), None
    if new is None:
        return ("Progressing", True, "NewReplicaSetCreated", f'Deployment "{name}" makes a new replica set'), None
    set_name = meta.name(new)
    if _complete(deployment, counts):
        text = f'ReplicaSet "{set_name}" has successfully progressed.'
        return ("Progressing", True, "NewReplicaSetAvailable", text), None
    deadline = int(deployment["spec"].get("progressDeadlineSeconds", 600))
    observed = (deployment.get("status") or {}).get("observedGeneration") == counts["observedGeneration"]
    if before.get("reason") == "NewReplicaSetAvailable" and observed:
        # A finished rollout that lost pods later is still finished; the deadline is for rollouts.
        return ("Progressing", True, "NewReplicaSetAvailable", str(before.get("message") or "")), None
    started = clock.parse(before["lastUpdateTime"]) if before.get("lastUpdateTime") else now
    moved = _moved(deployment.get("status") or {}, counts)
    expired = deadline < _NEVER and not moved and now >= started + deadline
    if expired or (before.get("reason") == "ProgressDeadlineExceeded" and not moved and observed):
        text = f'ReplicaSet "{set_name}" has timed out progressing.'
        return ("Progressing", False, "ProgressDeadlineExceeded", text), None
    due = None if deadline >= _NEVER else max(0.1, (now if moved else started) + deadline - now)
    return ("Progressing", True, "ReplicaSetUpdated", f'ReplicaSet "{set_name}" is progressing.'), due
