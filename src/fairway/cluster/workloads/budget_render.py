"""The status of a PodDisruptionBudget, from the pods that it covers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from fairway.cluster.workloads import pods as of_pods
from fairway.cluster.workloads.rollout import resolve
from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object

BELIEVED = 120.0
"""Seconds for which a pod whose eviction was allowed is taken to be on its way out."""


def needs_scale(budget: Object) -> bool:
    """Whether the number of pods that there should be matters: not for a plain number that must be there."""
    spec = budget.get("spec") or {}
    return "maxUnavailable" in spec or isinstance(spec.get("minAvailable"), str)


def status(budget: Object, pods: Iterable[Object], expected: int, now: float) -> tuple[Object, float | None]:
    """The status, and after how many seconds it is another one if nothing else happens."""
    pods = list(pods)
    gone, again = _on_their_way(budget, pods, now)
    healthy = sum(of_pods.ready(pod) and not meta.being_deleted(pod) and meta.name(pod) not in gone for pod in pods)
    wanted = _wanted(budget.get("spec") or {}, expected)
    allowed = max(0, healthy - wanted) if expected > 0 else 0
    reason = "SufficientPods" if allowed else "InsufficientPods"
    before = budget.get("status") or {}
    new: Object = {
        "observedGeneration": int(budget["metadata"].get("generation") or 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": wanted,
        "expectedPods": expected,
        "conditions": _said(budget, before, bool(allowed), reason, "", clock.timestamp(now)),
    }
    return {**new, **({"disruptedPods": dict(gone)} if gone else {})}, again


def failed(budget: Object, why: str, now: str) -> Object:
    """Nothing may go while it is not known how many there should be."""
    before = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0, **(budget.get("status") or {})}
    said = _said(budget, before, False, "SyncFailed", why, now)
    return {**before, "disruptionsAllowed": 0, "conditions": said}


def _said(budget: Object, before: Object, allowed: bool, reason: str, message: str, now: str) -> list[Object]:
    merged = conditions.merged(before.get("conditions"), now, ("DisruptionAllowed", allowed, reason, message))
    seen = int(budget["metadata"].get("generation") or 0)
    return [
        {"message": "", **each, "observedGeneration": seen} if each["type"] == "DisruptionAllowed" else each
        for each in merged
    ]


def _wanted(spec: Object, expected: int) -> int:
    """How many must be healthy. Shares are rounded up, both of what must be there and of what may be missing."""
    if "maxUnavailable" in spec:
        return max(0, expected - resolve(spec["maxUnavailable"], expected, math.ceil))
    return resolve(spec.get("minAvailable", 1), expected, math.ceil)


def _on_their_way(budget: Object, pods: Iterable[Object], now: float) -> tuple[Mapping[str, str], float | None]:
    """The pods whose eviction was allowed and that are still whole, and when the first of them is believed no more."""
    noted: Mapping[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    gone: dict[str, str] = {}
    left: list[float] = []
    for pod in pods:
        since = noted.get(meta.name(pod))
        if since is None or meta.being_deleted(pod):
            continue
        seconds = clock.parse(since) + BELIEVED - now
        if seconds > 0:
            gone[meta.name(pod)] = since
            left.append(seconds)
    return gone, min(left, default=None)
