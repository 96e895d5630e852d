"""What one object uses, in the words of quotas: requests.cpu, pods, services.nodeports, count/jobs.batch.

A pod that is over uses nothing but its place in the store. One that is being deleted still runs, and counts until it is
gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from fairway.kernel.objects import pod_totals, quantities
from fairway.kernel.objects.kinds import Object

Amounts = Mapping[str, Decimal]

_ONE = Decimal(1)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"
_OF_CLASS = ".storageclass.storage.k8s.io/"
_CLAIMS, _STORAGE = "persistentvolumeclaims", "requests.storage"
_PLAIN = ("configmaps", "secrets", "replicationcontrollers", "resourcequotas", "services", _CLAIMS)
"""Resources whose objects are also counted under their own name, without count/."""


def of(resource: str, obj: Object) -> Amounts:
    """`resource` is plural.group, as the store has it."""
    amounts = {f"count/{resource}": _ONE}
    if resource in _PLAIN:
        amounts[resource] = _ONE
    if more := _MORE.get(resource):
        amounts.update(more(obj))
    return amounts


def resource_of(name: str) -> str:
    """The resource whose objects are looked at to count `name`; empty where nothing is."""
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name == _STORAGE or _OF_CLASS in name:
        return _CLAIMS
    if name in _PLAIN:
        return name
    if name.startswith("services."):
        return "services"
    plain = name.removeprefix("requests.").removeprefix("limits.")
    if name == "pods" or plain in _COMPUTE or plain.startswith(_HUGE_PAGES) or name.startswith("requests."):
        return "pods"
    return ""


def shown(name: str, amount: Decimal) -> str:
    return quantities.canonical(amount, binary=any(word in name for word in ("memory", "storage", _HUGE_PAGES)))


def of_container(container: Object) -> Amounts:
    """What quotas of compute resources see of one container."""
    return _compute(pod_totals.part(container, "requests"), pod_totals.part(container, "limits"))


def _pod(pod: Object) -> Amounts:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {}
    return {"pods": _ONE, **_compute(pod_totals.requests(pod), pod_totals.limits(pod))}


def _compute(requests: Amounts, limits: Amounts) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = {}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith(_HUGE_PAGES):
            amounts[name] = amounts[f"requests.{name}"] = amount
        elif "/" in name:  # a device; its limit is its request
            amounts[f"requests.{name}"] = amount
    amounts |= {f"limits.{name}": amount for name, amount in limits.items() if name in _COMPUTE}
    return amounts


def _service(service: Object) -> Amounts:
    spec = service.get("spec") or {}
    ports = Decimal(len(spec.get("ports") or ()))
    match spec.get("type"):
        case "NodePort":
            return {"services.nodeports": ports}
        case "LoadBalancer":
            opened = ports if spec.get("allocateLoadBalancerNodePorts", True) else Decimal(0)
            return {"services.loadbalancers": _ONE, "services.nodeports": opened}
    return {}


def _claim(claim: Object) -> Amounts:
    spec = claim.get("spec") or {}
    amounts: dict[str, Decimal] = {}
    asked = pod_totals.part(spec, "requests").get("storage")
    if asked is not None:
        amounts[_STORAGE] = asked
    if class_ := spec.get("storageClassName"):
        amounts[f"{class_}{_OF_CLASS}{_CLAIMS}"] = _ONE
        if asked is not None:
            amounts[f"{class_}{_OF_CLASS}{_STORAGE}"] = asked
    return amounts


_MORE: Mapping[str, Callable[[Object], Amounts]] = {"pods": _pod, "services": _service, _CLAIMS: _claim}
