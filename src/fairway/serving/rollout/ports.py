"""Where a Service's requests go while the pods behind it come to listen elsewhere. Pure.

A Service has one target for all its pods, and in a rolling update some are of the version before: where a logger or a
batcher comes, those have no sidecar that listens. So until the last of them has gone the target is the name of a port,
which every pod has at its own number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.status import seen
from fairway.serving.status.seen import Seen


def moving(wanted: Iterable[Object], there: Iterable[Object], deployments: Iterable[Object], saw: Seen) -> list[Object]:
    """The Services `wanted`. Those `there` are what they were; `deployments` are what the pods are to be."""
    before = {meta.name(one): one for one in there}
    behind = {f"isvc.{meta.name(one)}": one for one in deployments}
    return [
        _moved(one, before.get(meta.name(one)), behind.get(str(one["spec"]["selector"].get("app"))), saw)
        for one in wanted
    ]


def _moved(service: Object, before: Object | None, deployment: Object | None, saw: Seen) -> Object:
    if before is None or deployment is None:
        return service
    current = saw.deployments.get(meta.name(deployment))
    if current is None or seen.counted(deployment, current)[1]:
        return service
    targets = {port.get("name"): port.get("targetPort") for port in before["spec"].get("ports") or ()}
    ports = [_target(port, targets.get(port["name"]), current, deployment) for port in service["spec"]["ports"]]
    return {**service, "spec": {**service["spec"], "ports": ports}}


def _target(port: Object, before: int | str | None, current: Object, wanted: Object) -> Object:
    """As it is to be, where the pods have no name in common for it: they then listen at both, or nothing helps."""
    name = before if isinstance(before, str) else next((name for name, at in _named(current) if at == before), None)
    if before == port["targetPort"] or name not in dict(_named(wanted)):
        return port
    return {**port, "targetPort": name}


def _named(deployment: Object) -> Iterator[tuple[str, int]]:
    """The ports that have names, and their numbers."""
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name"):
                yield port["name"], port["containerPort"]
