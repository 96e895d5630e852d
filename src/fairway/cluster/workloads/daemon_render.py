"""What a DaemonSet should do next: from it, its pods and the nodes to nodes that get a pod and pods that go. Pure.

A pod is bound to its node when it is made, so that it does not wait for the scheduler, and tolerates what would
drive other pods away. A new version goes node by node: the old pod goes, then the new one comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads import pods, revisions, rollout
from fairway.cluster.workloads.scheduling import nodes as places
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"), ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"), ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"), ("node.kubernetes.io/unschedulable", "NoSchedule"),
)  # fmt: skip


@dataclass(frozen=True)
class Decision:
    status: Object
    create: tuple[str, ...] = ()
    """Names of the nodes that get a pod."""
    delete: tuple[Object, ...] = ()
    again: float | None = None


def decide(obj: Object, owned: Iterable[Object], nodes: Iterable[Object], update: str, now: float) -> Decision:
    spec = obj["spec"]
    wanted = {meta.name(node) for node in nodes if _may_run(obj, node)}
    by_node: dict[str, list[Object]] = {}
    for pod in sorted(owned, key=meta.name):
        by_node.setdefault(pods.node_name(pod), []).append(pod)
    delete = [pod for node, there in by_node.items() for pod in _surplus(there, keeps=node in wanted)]
    gone = {meta.uid(pod) for pod in delete}
    staying = {node: [pod for pod in there if _stays(pod, gone)] for node, there in by_node.items()}
    kept = {node: staying[node][0] for node in wanted if staying.get(node)}
    min_ready = int(spec.get("minReadySeconds") or 0)
    waits = {node: pods.available_in(pod, min_ready, now) for node, pod in kept.items()}
    available = {node for node, wait in waits.items() if wait == 0}
    outdated = [node for node, pod in kept.items() if meta.labels(pod).get(revisions.HASH) != update]
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete":
        allowed = _may_be_away(spec, len(wanted)) - (len(wanted) - len(available))
        broken = [node for node in outdated if node not in available]
        whole = sorted(node for node in outdated if node in available)
        delete += [kept[node] for node in broken + whole[: max(0, allowed)]]
    status = {
        "observedGeneration": obj["metadata"].get("generation", 0),
        "desiredNumberScheduled": len(wanted),
        "currentNumberScheduled": len(kept),
        "numberMisscheduled": sum(1 for node in by_node if node not in wanted),
        "numberReady": sum(1 for pod in kept.values() if pods.ready(pod)),
        "numberAvailable": len(available) or None,
        "numberUnavailable": (len(wanted) - len(available)) or None,
        "updatedNumberScheduled": (len(kept) - len(outdated)) or None,
    }
    leaving = {node for node, there in by_node.items() if there}
    again = min((wait for wait in waits.values() if wait), default=None)
    return Decision(status, tuple(sorted(wanted - leaving)), tuple(delete), again)


def _may_run(obj: Object, node: Object) -> bool:
    spec = obj["spec"]["template"].get("spec") or {}
    return places.chosen({**spec, "tolerations": _tolerations(spec)}, node)


def _tolerations(spec: Object) -> list[Object]:
    own = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]
    return [*(spec.get("tolerations") or ()), *own]


def _surplus(there: list[Object], *, keeps: bool) -> list[Object]:
    """Pods that are over, that are on a node too much, or that may not be there."""
    alive = [pod for pod in there if pods.active(pod)]
    over = [pod for pod in there if pods.over(pod) and not meta.being_deleted(pod)]
    return over + (alive[1:] if keeps else alive)


def _stays(pod: Object, gone: set[str]) -> bool:
    return pods.active(pod) and meta.uid(pod) not in gone


def _may_be_away(spec: Object, nodes: int) -> int:
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    return max(1, rollout.resolve(rolling.get("maxUnavailable", 1), nodes, math.ceil))


def pod(obj: Object, name: str, node: str, update: str) -> Object:
    made = pods.from_template(obj["spec"]["template"], name, obj, labels={revisions.HASH: update})
    return {**made, "spec": {**made["spec"], "nodeName": node, "tolerations": _tolerations(made["spec"])}}
