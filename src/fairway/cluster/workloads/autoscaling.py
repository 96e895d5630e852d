"""HorizontalPodAutoscaler: every 15 seconds, what is measured, and the replicas of the target set by it.

What pods use is asked of metrics.k8s.io, everything else where `metric_reading` asks; `horizontal` decides; here is
read, written and said. Where there is no room to move nothing is measured. What cannot be read never scales down.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import horizontal, metric_reading
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
_OF_PODS = ("Resource", "ContainerResource")
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
        self._looked: dict[Key, tuple[tuple[str, int], float]] = {}
        """Which version of an autoscaler was looked at last, and when."""

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        key = namespace, name
        scaler = world.mirror(HORIZONTAL_POD_AUTOSCALER).get(namespace, name)
        if scaler is None or meta.being_deleted(scaler):
            self._memories.pop(key, None)
            self._looked.pop(key, None)
            return None
        # Its own status comes back as a change, and is never the same twice: that is no reason to measure again.
        now, version = world.clock.now(), (meta.uid(scaler), int(scaler["metadata"].get("generation") or 0))
        looked, since = self._looked.get(key, (version, now - _PERIOD))
        if looked == version and now < since + _PERIOD:
            return since + _PERIOD - now
        again = await self._look(world, scaler, now)
        self._looked[key] = version, now
        return again

    async def _look(self, world: World, scaler: Object, now: float) -> float:
        namespace = meta.namespace(scaler)
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
        status["currentMetrics"] = [one.current for one in wishes]
        wanted = max((one.replicas for one in wishes), default=0)
        if not wishes or (failures and wanted < replicas):  # what is not known might need what is there
            failed = failures[0] if failures else CannotMeasure("InvalidMetricSourceType", "there are no metrics")
            unable = f"the HPA was unable to compute the replica count: {failed}"
            return replicas, (able, ("ScalingActive", False, failed.reason, unable))
        memory = self._memories.setdefault(meta.key(scaler), Memory())
        bounded, reason = horizontal.decide(spec, replicas, wanted, memory, now)
        limited: Condition = ("ScalingLimited", bool(reason), reason or "DesiredWithinRange", "")
        active: Condition = ("ScalingActive", True, "ValidMetricFound", "a replica count was calculated from usage")
        return bounded, (able, active, limited)


async def _wishes(
    world: World, scaler: Object, target: Object, replicas: int
) -> tuple[list[Wish], list[CannotMeasure]]:
    found, failures = [], []
    fits = selectors.of(selectors.widened(target["spec"].get("selector")) or {})
    pods = [pod for pod in world.mirror(POD).all(meta.namespace(scaler)) if fits(meta.labels(pod))]
    metrics = scaler["spec"].get("metrics") or ()
    measured = await _measured(world, scaler) if any(each["type"] in _OF_PODS for each in metrics) else ()
    tolerances = horizontal.tolerances(scaler["spec"])
    for metric in metrics:
        try:
            if metric["type"] not in _OF_PODS:
                wish = await metric_reading.wish(world.client, metric, target, pods, replicas, tolerances)
            elif isinstance(measured, errors.ApiError):
                raise CannotMeasure(f"FailedGet{metric['type']}Metric", f"nothing is measured: {measured}")
            else:
                usages = _usages(measured, horizontal.container_of(metric))
                wish = horizontal.wish(metric, pods, usages, replicas, tolerances)
            found.append(wish)
        except CannotMeasure as failure:
            failures.append(failure)
    return found, failures


async def _measured(world: World, scaler: Object) -> list[Object] | errors.ApiError:
    try:
        return (await world.client.list(POD_METRICS, meta.namespace(scaler))).items
    except errors.ApiError as failure:
        return failure


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
