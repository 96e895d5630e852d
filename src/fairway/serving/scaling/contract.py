"""What is agreed about the scaling of one Deployment: written onto it by `render`, read by the autoscaler. Pure.

The autoscaler knows Deployments that carry a contract, and nothing of InferenceServices, components or graphs. So
whatever has servers can be scaled, and a restart finds everything where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.scaling import asked as asking
from fairway.serving.scaling import targets
from fairway.serving.scaling.asked import CONCURRENCY, CPU, MEMORY, RPS, Asked, NotUnderstood
from fairway.serving.scaling.decider import Spec
from fairway.serving.scaling.targets import Defaults

ANNOTATION = "serving.fairway.dev/scaling"
CLASS = "serving.kserve.io/autoscalerClass"
CPU_TARGET = 80
"""Percent of the request, as KServe has it."""


@dataclass(frozen=True, slots=True)
class Contract:
    scaler: str = "none"
    """kpa, hpa, external or none."""
    service: str = ""
    """The Service whose requests they are."""
    metric: str = CONCURRENCY
    least: int = 1
    most: int = 0
    initial: int = 1
    limit: int = 0
    """Requests that a pod takes at once; 0: no limit."""
    timeout: float = 60.0
    spec: Spec = field(default_factory=lambda: Spec(70.0, 100.0))
    panic_window: float = 6.0
    weighted: bool = False
    retention: float = 0.0
    progress_deadline: float = 600.0
    hold: bool = False
    """Hold requests whenever no pod is ready, and not only while scaled to zero."""

    @property
    def owns_replicas(self) -> bool:
        """Whether the number of replicas is somebody else's than of the one who renders the Deployment."""
        return self.scaler != "none"


@dataclass(frozen=True, slots=True)
class Wishes:
    """The fields of a component, as they stand in its spec."""

    least: int | None = None
    most: int | None = None
    metric: str = ""
    target: float | None = None
    limit: int = 0
    timeout: float = 60.0
    progress_deadline: float = 600.0


def settle(service: str, wishes: Wishes, annotations: Mapping[str, str], *, knative: bool) -> Contract:
    """Fields count before annotations. Raises NotUnderstood."""
    asked = asking.read(annotations)
    metric = wishes.metric.lower() or asked.metric or ""
    least = next((one for one in (wishes.least, asked.least) if one is not None), 1)
    most = wishes.most or asked.most or 0
    scaler = _scaler(metric, least, asked, annotations.get(CLASS, ""), knative=knative)
    if most and most < least:
        raise NotUnderstood([f"maxReplicas ({most}) is below minReplicas ({least}); raise it, or leave it out."])
    if scaler != "kpa":
        fixed = max(1, least)
        return Contract(
            scaler,
            service,
            metric if metric in (CPU, MEMORY) else CPU,
            fixed,
            max(most, fixed),
            limit=wishes.limit,
            timeout=wishes.timeout,
            progress_deadline=wishes.progress_deadline,
        )
    metric = metric or CONCURRENCY
    stable = asked.window or 60.0
    return Contract(
        scaler="kpa",
        service=service,
        metric=metric,
        least=least,
        most=most,
        initial=asked.initial if asked.initial is not None else 1,
        limit=wishes.limit,
        timeout=wishes.timeout,
        spec=_spec(metric, wishes, asked, stable),
        panic_window=max(1.0, stable * (asked.panic_window or 0.1)),
        weighted=asked.weighted,
        retention=asked.retention or 0.0,
        progress_deadline=wishes.progress_deadline,
    )


def write(contract: Contract) -> str:
    return json.dumps(asdict(contract), sort_keys=True, separators=(",", ":"))


def read(deployment: Object) -> Contract | None:
    """None where there is none, or one that this version does not understand."""
    try:
        wire = json.loads(meta.annotations(deployment).get(ANNOTATION) or "null")
        return Contract(**{**wire, "spec": Spec(**wire["spec"])}) if wire else None
    except (ValueError, TypeError, KeyError):
        return None


def _scaler(metric: str, least: int, asked: Asked, named: str, *, knative: bool) -> str:
    if named == "keda":
        raise NotUnderstood([f"The annotation {CLASS}: keda is not supported; use scaleMetric concurrency or rps."])
    if named in ("none", "external"):
        return named
    if named not in ("", "hpa"):
        raise NotUnderstood([f"The annotation {CLASS}: {named} is not known; use hpa, none or external."])
    if metric not in ("", CONCURRENCY, RPS, CPU, MEMORY):
        raise NotUnderstood([f"scaleMetric {metric!r} is not known; use concurrency, rps, cpu or memory."])
    by_resource = metric in (CPU, MEMORY)
    if least == 0 and (by_resource or asked.scaler == "hpa"):
        how = "use scaleMetric concurrency or rps, or set minReplicas to 1"
        raise NotUnderstood(
            [f"minReplicas 0 cannot be reached by {metric or 'cpu'}, which nobody uses at zero; {how}."]
        )
    if by_resource or asked.scaler == "hpa":
        return "hpa"
    wants_requests = metric in (CONCURRENCY, RPS) or least == 0 or asked != Asked(least=asked.least, most=asked.most)
    return "kpa" if wants_requests or knative else "hpa"


def _spec(metric: str, wishes: Wishes, asked: Asked, stable: float) -> Spec:
    target, total = targets.resolve(
        metric,
        target=wishes.target or asked.target,
        share=asked.share,
        container_concurrency=wishes.limit,
        defaults=Defaults(),
    )
    return Spec(
        target=target,
        total=total,
        burst=asked.burst or 0.0,
        panic_threshold=asked.panic_threshold or 2.0,
        stable_window=stable,
        scale_down_delay=asked.scale_down_delay or 0.0,
        activation_scale=asked.activation or 1,
    )


def with_contract(deployment: Object, contract: Contract) -> Object:
    """The rendered Deployment with its contract. Its number of replicas is only said where nobody scales it."""
    metadata: dict[str, Any] = deployment["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: write(contract)}
    spec = dict(deployment["spec"])
    if contract.owns_replicas:
        spec.pop("replicas", None)
    else:
        spec["replicas"] = contract.least
    return {**deployment, "metadata": {**metadata, "annotations": annotations}, "spec": spec}
