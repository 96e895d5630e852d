"""What a Service asks for that its address cannot do here, named. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.objects.kinds import Object


def refusals(service: Object) -> Iterable[str]:
    spec = service["spec"]
    for port in spec.get("ports") or ():
        protocol = port.get("protocol", "TCP")
        if protocol != "TCP":
            yield f"port {port['port']} with protocol {protocol} is not carried here: only TCP is"
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        yield f"type {spec['type']} is served as ClusterIP: reach it from outside with an HTTPRoute"
    if spec.get("sessionAffinity") == "ClientIP":
        yield "sessionAffinity ClientIP is not kept: each connection goes to any ready pod"
