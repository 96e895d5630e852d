"""Whether other pods keep a pod from a node, or are missing there: affinity, anti-affinity, even spread. Pure.

A part (a topology) is all nodes with the same value of a label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from fairway.cluster.workloads.scheduling import nodes, terms
from fairway.cluster.workloads.scheduling.accounts import Account, Scene, Tenant
from fairway.cluster.workloads.scheduling.demand import Demand
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
REPELLED = "node(s) didn't satisfy existing pods anti-affinity rules"
SPREAD = "node(s) didn't match pod topology spread constraints"
UNLABELLED = f"{SPREAD} (missing required label)"


def attracted(wanted: Demand, account: Account, scene: Scene) -> bool:
    """All that the pod wants beside it is in the node's parts; the first of its kind may begin anywhere."""
    wishes = terms.affinity(wanted.spec)
    if not wishes:
        return True
    here = meta.labels(account.node)
    if any(term["topologyKey"] not in here for term in wishes):
        return False
    tests = [_meant(term, wanted, scene) for term in wishes]
    liked = [(node, pod) for node, pod in _placed(scene) if all(test(pod) for test in tests)]
    if not liked:
        itself = {"metadata": {"namespace": wanted.namespace, "labels": wanted.labels or {}}}
        return all(test(itself) for test in tests)
    return all(
        any(meta.labels(node).get(term["topologyKey"]) == here[term["topologyKey"]] for node, _ in liked)
        for term in wishes
    )


def crowded(wanted: Demand, account: Account, scene: Scene) -> bool:
    """A pod that this one keeps away from is in one of the node's parts."""
    here = meta.labels(account.node)
    for term in terms.anti_affinity(wanted.spec):
        key, test = term["topologyKey"], _meant(term, wanted, scene)
        if key in here and any(test(pod) for node, pod in _placed(scene) if meta.labels(node).get(key) == here[key]):
            return True
    return False


def repelled(wanted: Demand, account: Account, scene: Scene) -> bool:
    """A pod that is in one of the node's parts keeps such as this one away."""
    itself = {"metadata": {"namespace": wanted.namespace, "labels": wanted.labels or {}}}
    here = meta.labels(account.node)
    for other in scene.accounts.values():
        there = meta.labels(other.node)
        for tenant in other.repelling.values():
            for term in tenant.repels:
                key = term["topologyKey"]
                if key in here and there.get(key) == here[key] and _carried(tenant, term, scene)(itself):
                    return True
    return False


def uneven(wanted: Demand, account: Account, scene: Scene) -> str:
    """Why the pods would not be spread evenly; empty where they would."""
    here = meta.labels(account.node)
    for constraint in terms.spread(wanted.spec):
        key = constraint["topologyKey"]
        if key not in here:
            return UNLABELLED
        test = _meant(constraint, wanted, scene)
        counts = _counts(constraint, wanted, scene, test)
        least = min(counts.values(), default=0)
        if len(counts) < int(constraint.get("minDomains") or 1):
            least = 0
        itself = {"metadata": {"namespace": wanted.namespace, "labels": wanted.labels or {}}}
        if counts[here[key]] + test(itself) - least > int(constraint.get("maxSkew") or 1):
            return SPREAD
    return ""


def _counts(constraint: Object, wanted: Demand, scene: Scene, test: Callable[[Object], bool]) -> Counter[str]:
    """How many such pods each part has, of the parts that the pod may be in."""
    counts: Counter[str] = Counter()
    for account in scene.accounts.values():
        part = meta.labels(account.node).get(constraint["topologyKey"])
        if part is None or not _counted(constraint, wanted.spec, account.node):
            continue
        counts[part] += sum(1 for tenant in account.tenants.values() if not tenant.leaving and test(tenant.pod))
    return counts


def _counted(constraint: Object, spec: Object, node: Object) -> bool:
    if constraint.get("nodeAffinityPolicy") != "Ignore" and not nodes.selected(spec, node):
        return False
    return constraint.get("nodeTaintsPolicy") != "Honor" or nodes.untolerated(spec, node) is None


def _meant(term: Object, wanted: Demand, scene: Scene) -> Callable[[Object], bool]:
    return terms.means(term, wanted.namespace, wanted.labels or {}, scene.namespace_labels)


def _carried(tenant: Tenant, term: Object, scene: Scene) -> Callable[[Object], bool]:
    pod = tenant.pod
    return terms.means(term, meta.namespace(pod), meta.labels(pod), scene.namespace_labels)


def _placed(scene: Scene) -> Iterator[tuple[Object, Object]]:
    """Each pod that has a node, with the node."""
    for account in scene.accounts.values():
        for tenant in account.tenants.values():
            yield account.node, tenant.pod
