"""What is agreed about the scaling of one Deployment: written onto it by `render`, read by the autoscaler. Pure.

The autoscaler knows Deployments that carry a contract, and nothing of InferenceServices, components or graphs. So
whatever has servers can be scaled, and a restart finds everything where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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
_MOST = 1e12
_HOUR = 3600
_WINDOWS = ("stable_window", "panic_window", "scale_down_delay")
_DIVISORS = ("target", "total", "up_rate", "down_rate", "panic_threshold", "stable_window", "panic_window")
TIMEOUT = 60
"""Seconds that a request may take where nothing is said; KServe's gateways have it so."""


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
    def at_first(self) -> int:
        """How many pods it begins with: whatever may sleep shows once that it can be awake."""
        return max(1, self.least, self.initial if self.scaler == "kpa" else 1)


@dataclass(frozen=True, slots=True)
class Wishes:
    """The fields of a component, as they stand in its spec."""

    least: int | None = None
    most: int | None = None
    metric: str = ""
    target: float | None = None
    by_metrics: bool = False
    """Whether it has metrics of its own in autoScaling."""
    limit: int = 0
    timeout: float = 60.0
    progress_deadline: float = 600.0


def settle(service: str, wishes: Wishes, annotations: Mapping[str, str], *, knative: bool) -> Contract:
    """Fields count before annotations. Raises NotUnderstood."""
    asked = asking.read(annotations)
    metric = wishes.metric.lower() or asked.metric or ""
    least = next((one for one in (wishes.least, asked.least) if one is not None), 1)
    most = wishes.most or asked.most or 0
    named = annotations.get(CLASS, "")
    scaler = _scaler(metric, least, most, asked, named, by_metrics=wishes.by_metrics, knative=knative)
    if most and most < least:
        raise NotUnderstood([f"maxReplicas ({most}) is below minReplicas ({least}); raise it, or leave it out."])
    usual = Contract(scaler, service, limit=wishes.limit, timeout=wishes.timeout, least=max(1, least))
    if scaler == "hpa":
        return replace(usual, metric=metric or CPU, most=max(most, usual.least))
    if scaler != "kpa":
        return usual
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
    """Only what is not as usual."""
    return json.dumps(_unusual(asdict(contract), asdict(Contract())), sort_keys=True, separators=(",", ":"))


def read(deployment: Object) -> Contract | None:
    """None where there is none, or one that this version does not understand.

    Whoever may write Deployments may write anything there: what is no contract must not reach the arithmetic.
    """
    try:
        wire = json.loads(meta.annotations(deployment).get(ANNOTATION) or "null")
    except (ValueError, RecursionError):
        return None
    usual = asdict(Contract())
    if not wire or not _is_like(wire, usual) or not all(map(_is_bounded, (wire, wire.get("spec") or {}))):
        return None
    return replace(Contract(), **{**wire, "spec": replace(Contract().spec, **wire.get("spec", {}))})


def _is_like(value: Any, usual: Any) -> bool:
    """Whether it has the type of what is usual there, and no part that is not."""
    if isinstance(usual, dict):
        known = isinstance(value, dict) and value.keys() <= usual.keys()
        return known and all(_is_like(part, usual[key]) for key, part in value.items())
    if isinstance(usual, float):
        return type(value) in (int, float) and abs(value) < _MOST
    return type(value) is type(usual) and (not isinstance(value, int) or abs(value) < _MOST)


def _is_bounded(wire: Mapping[str, Any]) -> bool:
    """Divisors are above zero, and windows no longer than annotations may ask for."""
    return all(wire.get(name, 1) > 0 for name in _DIVISORS) and all(wire.get(name, 1) <= _HOUR for name in _WINDOWS)


def _unusual(wire: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in wire.items() if value != usual[key]}
    return {key: _unusual(value, usual[key]) if isinstance(value, dict) else value for key, value in found.items()}


def _scaler(metric: str, least: int, most: int, asked: Asked, named: str, *, by_metrics: bool, knative: bool) -> str:
    if named == "keda":
        raise NotUnderstood([f"The annotation {CLASS}: keda is not supported; use scaleMetric concurrency or rps."])
    if named in ("none", "external"):
        return named
    if named not in ("", "hpa"):
        raise NotUnderstood([f"The annotation {CLASS}: {named} is not known; use hpa, none or external."])
    if metric not in ("", CONCURRENCY, RPS, CPU, MEMORY):
        raise NotUnderstood([f"scaleMetric {metric!r} is not known; use concurrency, rps, cpu or memory."])
    by_resource = metric in (CPU, MEMORY) or by_metrics
    if least == 0 and (by_resource or asked.scaler == "hpa"):
        how = "use scaleMetric concurrency or rps, or set minReplicas to 1"
        raise NotUnderstood([f"minReplicas 0 and {metric or 'cpu'}: nobody would wake it by using that; {how}."])
    if by_resource or asked.scaler == "hpa":
        return "hpa"
    if metric or least == 0 or knative or asked != Asked(least=asked.least, most=asked.most):
        return "kpa"
    # KServe makes an autoscaler here in any case. One that may not scale would only be in the way.
    return "hpa" if most > least or named == "hpa" or by_metrics else "none"


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


def written(deployment: Object, contract: Contract) -> Object:
    """The rendered Deployment with its contract."""
    metadata: dict[str, Any] = deployment["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: write(contract)}
    return {**deployment, "metadata": {**metadata, "annotations": annotations}}


def scaled(wanted: Object, current: Object | None, *, awake: bool = False) -> Object:
    """The rendered Deployment with the replicas that it has now, where an autoscaler says how many those are.

    `awake`: at least one, so that a new version shows that it can be.
    """
    contract = read(wanted)
    if current is None or contract is None or contract.scaler == "none":
        return wanted
    replicas = int(current["spec"].get("replicas", 1))
    return {**wanted, "spec": {**wanted["spec"], "replicas": max(replicas, 1 if awake else 0)}}
