"""The HorizontalPodAutoscaler of a component that scales by CPU or memory, as KServe renders it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import HORIZONTAL_POD_AUTOSCALER, Object
from fairway.serving.component import Component
from fairway.serving.scaling.asked import MEMORY

CPU_TARGET = 80
"""Percent of the request where nothing is said."""


def horizontal(deployment: Object, component: Component) -> Object | None:
    """None where another autoscaler keeps the component, or none."""
    contract = component.contract
    if contract.scaler != "hpa":
        return None
    spec: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": component.name},
        "minReplicas": contract.least,
        "maxReplicas": max(contract.most, contract.least),
        "metrics": list(_metrics(component)),
    }
    if behavior := component.scaling.auto.get("behavior"):
        spec["behavior"] = behavior
    metadata = {"labels": meta.labels(deployment)}
    return HORIZONTAL_POD_AUTOSCALER.new(component.name, meta.namespace(deployment), metadata=metadata, spec=spec)


def _metrics(component: Component) -> Iterator[Object]:
    own = component.scaling.auto.get("metrics") or ()
    for metric in own:
        resource = metric.get("resource") or {}
        target = dict(resource.get("target") or {})
        if resource.get("name") != MEMORY:
            target = {"type": "Utilization", "averageUtilization": target.get("averageUtilization") or CPU_TARGET}
        yield {"type": "Resource", "resource": {"name": resource.get("name"), "target": target}}
    if own:
        return
    name, asked = component.contract.metric, component.scaling.target
    if name != MEMORY or asked:  # upstream has no target for memory unless one is given
        share = {"type": "Utilization", "averageUtilization": int(asked or CPU_TARGET)}
        yield {"type": "Resource", "resource": {"name": name, "target": share}}
