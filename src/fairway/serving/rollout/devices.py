"""A new version of what uses whole devices (GPUs), where none is free: it starts in the place of the one before. Pure.

Everywhere else a new pod is ready before an old one goes. Here that would wait for ever: a device has one pod. So one
old pod goes first, and requests that find none wait at the activator. The choice is made once for each version, because
the new pod itself takes the device that was free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fairway.kernel.objects import meta, quantities
from fairway.kernel.objects.kinds import Object
from fairway.serving.render import marks, workload
from fairway.serving.render.children import Children
from fairway.serving.scaling import contract as contracts
from fairway.serving.status.ingress import Condition

IN_PLACE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}


def fitted(
    wanted: Children, current: Mapping[str, Object], nodes: Iterable[Object], pods: Iterable[Object]
) -> tuple[Children, tuple[Condition, ...]]:
    """The children with the strategy that the devices allow, and the condition that says so."""
    nodes, pods, deployments, tight = list(nodes), list(pods), [], []
    for deployment in wanted.deployments:
        there = current.get(meta.name(deployment))
        ours = deployment["spec"].get("strategy") == workload.NO_GAP and _asked(deployment)
        if ours and there is not None and _stays_in_place(deployment, there, nodes, pods):
            deployments.append(_in_place(deployment))
            tight.append(meta.name(deployment))
        else:
            deployments.append(deployment)
    if not tight:
        return wanted, ()
    text = f"No device is free beside {', '.join(tight)}: a new version starts in its place, and requests wait for it."
    return replace(wanted, deployments=tuple(deployments)), (("RolloutInPlace", True, "NoFreeDevice", text),)


def free(resource: str, nodes: Iterable[Object], pods: Iterable[Object]) -> int:
    """The most that is free on one node."""
    used: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            used[node] = used.get(node, 0) + _devices(pod["spec"]).get(resource, 0)
    offers = {meta.name(node): ((node.get("status") or {}).get("allocatable") or {}).get(resource) for node in nodes}
    return max((_whole(offer) - used.get(name, 0) for name, offer in offers.items() if offer), default=0)


def _stays_in_place(deployment: Object, there: Object, nodes: list[Object], pods: list[Object]) -> bool:
    if marks.digest(there) == marks.digest(deployment):
        return bool(there["spec"].get("strategy") == IN_PLACE)
    return any(free(resource, nodes, pods) < count for resource, count in _asked(deployment).items())


def _asked(deployment: Object) -> dict[str, int]:
    return _devices(deployment["spec"]["template"]["spec"])


def _in_place(deployment: Object) -> Object:
    made = {**deployment, "spec": {**deployment["spec"], "strategy": IN_PLACE}}
    contract = contracts.read(deployment)
    return contracts.written(made, replace(contract, hold=True)) if contract else made


def _devices(spec: Object) -> dict[str, int]:
    """Whole things that a pod has for itself: what is asked for under a vendor's name."""
    found: dict[str, int] = {}
    for container in spec.get("containers") or ():
        resources = container.get("resources") or {}
        for name, amount in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            if "/" in name and not name.startswith("kubernetes.io/"):
                found[name] = found.get(name, 0) + _whole(amount)
    return {name: count for name, count in found.items() if count}


def _whole(amount: object) -> int:
    return int(quantities.parse(str(amount)))
