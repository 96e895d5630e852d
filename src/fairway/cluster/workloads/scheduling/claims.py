"""Whether the volumes that a pod claims are there, and can be where the node is. Pure.

A claim without a volume gets a folder of the node that first uses it, so it keeps a pod from no node.
"""

from __future__ import annotations

from fairway.cluster.workloads.scheduling import demand, nodes
from fairway.cluster.workloads.scheduling.accounts import Account, Scene
from fairway.cluster.workloads.scheduling.demand import Demand
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

CONFLICT = "node(s) had volume node affinity conflict"
IN_USE = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


def missing(wanted: Demand, scene: Scene) -> str:
    """The claim that keeps the pod from any node, as a sentence."""
    for name in wanted.claims:
        claim = scene.claim(wanted.namespace, name)
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if meta.being_deleted(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
    return ""


def elsewhere(wanted: Demand, account: Account, scene: Scene) -> bool:
    """A volume of the pod cannot be reached from the node."""
    for name in wanted.claims:
        claim = scene.claim(wanted.namespace, name) or {"spec": {}}
        volume = scene.volume(claim["spec"].get("volumeName") or "")
        required = ((volume or {"spec": {}})["spec"].get("nodeAffinity") or {}).get("required")
        if not nodes.matches(required, account.node):
            return True
    return False


def in_use(wanted: Demand, scene: Scene) -> bool:
    """A claim that one pod may use at a time is another's."""
    single = {name for name in wanted.claims if _for_one(scene.claim(wanted.namespace, name))}
    if not single:
        return False
    return any(
        meta.namespace(tenant.pod) == wanted.namespace and not single.isdisjoint(demand.claims_of(tenant.pod))
        for account in scene.accounts.values()
        for tenant in account.tenants.values()
    )


def _for_one(claim: Object | None) -> bool:
    return claim is not None and "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ())
