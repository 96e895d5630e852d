"""What a pod needs of a node, and all that a decision depends on: pods of equal demand are alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.scheduling import terms
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

Port = tuple[str, str, int]
"""(address, protocol, number) of the machine."""

_PARTS = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "schedulingGates")


@dataclass(frozen=True)
class Demand:
    requests: Mapping[str, Decimal]
    spec: Object
    """The parts of the pod's spec that say where it may be."""
    signature: str
    namespace: str = ""
    labels: Mapping[str, str] | None = None
    """None where nobody asks for them: then pods with other labels are alike."""
    priority: int = 0
    preempts: bool = True
    ports: tuple[Port, ...] = ()
    claims: tuple[str, ...] = ()


def of(pod: Object, *, labelled: bool = False) -> Demand:
    """`labelled`: pods that are placed already ask for the labels of those that come."""
    spec, requests = pod["spec"], pods.requests(pod)
    kept = {part: spec[part] for part in _PARTS if spec.get(part)}
    ports, claims, priority = ports_of(pod), claims_of(pod), priority_of(pod)
    preempts = spec.get("preemptionPolicy") != "Never"
    labelled = labelled or terms.minds_others(spec)
    labels = meta.labels(pod) if labelled else None
    namespace = meta.namespace(pod)
    place = namespace if labelled or claims else ""
    amounts = sorted((name, str(amount)) for name, amount in requests.items())
    signature = f"{amounts}{kept!r}{priority}{preempts}{ports}{claims}{place}{sorted(labels.items()) if labels else ''}"
    return Demand(requests, kept, signature, namespace, labels, priority, preempts, ports, claims)


def priority_of(pod: Object) -> int:
    return int(pod["spec"].get("priority") or 0)


def ports_of(pod: Object) -> tuple[Port, ...]:
    """The ports of the machine that the pod asks for."""
    found = []
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                address = port.get("hostIP") or "0.0.0.0"  # noqa: S104 - compared, not bound
                found.append((address, port.get("protocol") or "TCP", int(port["hostPort"])))
    return tuple(found)


def clash(one: Port, other: Port) -> bool:
    everywhere = "0.0.0.0"  # noqa: S104 - compared, not bound
    return one[1:] == other[1:] and (one[0] == other[0] or everywhere in (one[0], other[0]))


def claims_of(pod: Object) -> tuple[str, ...]:
    """The names of the claims that the pod mounts."""
    sources = (volume.get("persistentVolumeClaim") for volume in pod["spec"].get("volumes") or ())
    return tuple(source["claimName"] for source in sources if source)
