"""HorizontalPodAutoscaler: every 15 seconds, what the pods use, and the replicas of their owner set by it.

`horizontal` decides; here is read, written and said. Where there is no room to move nothing is measured.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import horizontal
from fairway.cluster.workloads.horizontal import CannotMeasure, Memory, Usages, Wish
from fairway.kernel import clock
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import conditions, errors, meta, quantities, selectors
from fairway.kernel.objects.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    POD,
    POD_METRICS,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    Kind,
    Object,
)
from fairway.kernel.objects.meta import Key

_PERIOD = 15.0
_SCALABLE = {
    (kind.api_version.partition("/")[0], kind.kind): kind
    for kind in (DEPLOYMENT, STATEFUL_SET, REPLICA_SET, REPLICATION_CONTROLLER)
}
Condition = tuple[str, "bool | None", str, str]


def controller() -> Controller:
    return Controller(
        "horizontalpodautoscalers",
        HORIZONTAL_POD_AUTOSCALER,
        _Reconciler().reconcile,
        reads=(*_SCALABLE.values(), POD),
    )


class _Reconciler:
    def __init__(self) -> None:
        self._memories: dict[Key, Memory] = {}
        self._measured: dict[Key, float] = {}

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        scaler = world.mirror(HORIZONTAL_POD_AUTOSCALER).get(namespace, name)
        if scaler is None or meta.being_deleted(scaler):
            self._memories.pop((namespace, name), None)
            return None
        now = world.clock.now()
        kind, target = _target(world, scaler)
        if kind is None or target is None:
            said: Condition = ("AbleToScale", False, "FailedGetScale", _no_target(scaler))
            await _report(world, scaler, now, (said,), {})
            return _PERIOD
        replicas = int(target["spec"].get("replicas", 1))
        status: Object = {"currentReplicas": replicas, "observedGeneration": scaler["metadata"].get("generation", 0)}
        if replicas == 0:
            said = ("ScalingActive", False, "ScalingDisabled", "scaling is disabled since the replica count is zero")
            await _report(world, scaler, now, (said,), {**status, "desiredReplicas": 0})
            return _PERIOD
        wanted, judged = await self._wanted(world, scaler, target, replicas, now, status)
        status["desiredReplicas"] = wanted
        if wanted != replicas:
            await world.client.patch(kind, meta.name(target), namespace, {"spec": {"replicas": wanted}})
            text = f"New size: {wanted}; reason: {'; '.join(one[3] for one in judged if one[3]) or 'usage'}"
            await events.record(world.client, world.clock, scaler, "SuccessfulRescale", text)
            status["lastScaleTime"] = clock.timestamp(now)
        await _report(world, scaler, now, judged, status)
        return _PERIOD

    async def _wanted(
        self, world: World, scaler: Object, target: Object, replicas: int, now: float, status: Object
    ) -> tuple[int, tuple[Condition, ...]]:
        spec = scaler["spec"]
        least, most = int(spec.get("minReplicas") or 1), int(spec["maxReplicas"])
        able: Condition = ("AbleToScale", True, "ReadyForNewScale", "recommended size matches current size")
        if not least <= replicas <= most or least == most:
            return min(max(replicas, least), most), (able,)
        wishes, failures = await _wishes(world, scaler, target, replicas)
        if not wishes:
            failed = failures[0] if failures else CannotMeasure("InvalidMetricSourceType", "there are no metrics")
            return replicas, (able, ("ScalingActive", False, failed.reason, str(failed)))
        status["currentMetrics"] = [one.current for one in wishes]
        wanted = max(one.replicas for one in wishes)
        if failures:
            wanted = max(wanted, replicas)  # what is not known might need what is there
        memory = self._memories.setdefault(meta.key(scaler), Memory())
        bounded, reason = horizontal.decide(spec, replicas, wanted, memory, now)
        limited: Condition = ("ScalingLimited", bool(reason), reason or "DesiredWithinRange", "")
        active: Condition = ("ScalingActive", True, "ValidMetricFound", "a replica count was calculated from usage")
        return bounded, (able, active, limited)


async def _wishes(
    world: World, scaler: Object, target: Object, replicas: int
) -> tuple[list[Wish], list[CannotMeasure]]:
    namespace, found, failures = meta.namespace(scaler), [], []
    fits = selectors.of(selectors.widened(target["spec"].get("selector")) or {})
    pods = [pod for pod in world.mirror(POD).all(namespace) if fits(meta.labels(pod))]
    try:
        measured = (await world.client.list(POD_METRICS, namespace)).items
    except errors.ApiError as failure:
        return [], [CannotMeasure("FailedGetResourceMetric", f"nothing is measured: {failure}")]
    for metric in scaler["spec"].get("metrics") or ():
        try:
            usages = _usages(measured, horizontal.container_of(metric))
            found.append(horizontal.wish(metric, pods, usages, replicas))
        except CannotMeasure as failure:
            failures.append(failure)
    return found, failures


def _usages(measured: Iterable[Object], container: str) -> Usages:
    """By pod; of one container where it has a name, and then of those pods only that have it."""
    chosen = {
        meta.name(one): [each for each in one["containers"] if container in ("", each["name"])] for one in measured
    }
    return {name: _summed(containers) for name, containers in chosen.items() if containers}


def _summed(containers: Iterable[Object]) -> dict[str, float]:
    total: dict[str, float] = {}
    for container in containers:
        for resource, amount in container["usage"].items():
            total[resource] = total.get(resource, 0.0) + float(quantities.parse(amount))
    return total


def _target(world: World, scaler: Object) -> tuple[Kind | None, Object | None]:
    reference = scaler["spec"]["scaleTargetRef"]
    kind = _SCALABLE.get((str(reference.get("apiVersion") or "apps/v1").partition("/")[0], reference["kind"]))
    return kind, world.mirror(kind).get(meta.namespace(scaler), reference["name"]) if kind else None


def _no_target(scaler: Object) -> str:
    reference = scaler["spec"]["scaleTargetRef"]
    return f"there is no {reference['kind']} {reference['name']!r} that can be scaled here"


async def _report(world: World, scaler: Object, now: float, judged: tuple[Condition, ...], status: Object) -> None:
    said = scaler.get("status") or {}
    kept = [one for one in said.get("conditions") or () if one["type"] in {condition[0] for condition in judged}]
    new = {**status, "conditions": conditions.merged(kept, clock.timestamp(now), *judged)}
    if any(said.get(name) != value for name, value in new.items()):
        name, namespace = meta.name(scaler), meta.namespace(scaler)
        await world.client.patch_status(HORIZONTAL_POD_AUTOSCALER, name, namespace, new)
