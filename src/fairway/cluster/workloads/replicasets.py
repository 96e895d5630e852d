"""ReplicaSet and ReplicationController: as many pods of one template as asked for, no more and no less.

The two differ in the form of their selector, which the API has checked against the template. `decide` is pure.
Pods are named from the set's uid and a slot number, so that a repeated creation is refused by the API instead of
making one pod too many (see `pods.slug`).
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.adoption import Orphans
from fairway.kernel import clock
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import conditions, errors, meta, names
from fairway.kernel.objects.kinds import POD, REPLICA_SET, REPLICATION_CONTROLLER, Kind, Object

_BURST = 500  # pods created or deleted in one go, as upstream
_LOOK_AGAIN = 0.2
_COST = "controller.kubernetes.io/pod-deletion-cost"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,9})")
_COMPONENTS = {REPLICA_SET.kind: "replicaset-controller", REPLICATION_CONTROLLER.kind: "replication-controller"}


@dataclass(frozen=True)
class Decision:
    create: int
    delete: list[Object]
    status: Object
    again: float | None


def controllers() -> tuple[Controller, ...]:
    return tuple(_controller(kind) for kind in (REPLICA_SET, REPLICATION_CONTROLLER))


def _controller(kind: Kind) -> Controller:
    orphans = Orphans(kind)
    return Controller(kind.plural, kind, Reconciler(kind, orphans).reconcile, watches=((POD, orphans.concerned),))


def decide(replica_set: Object, owned: Iterable[Object], now: float) -> Decision:
    spec = replica_set["spec"]
    wanted = int(spec.get("replicas", 1))
    min_ready = int(spec.get("minReadySeconds") or 0)
    alive = [pod for pod in owned if pods.active(pod)]
    waits = [wait for pod in alive if (wait := pods.available_in(pod, min_ready, now)) is not None]
    extra = max(0, len(alive) - wanted)
    surplus = sorted(alive, key=_worth)[:extra] if extra else []
    status = {
        "replicas": len(alive),
        "fullyLabeledReplicas": len(alive),
        "readyReplicas": len(waits),
        "availableReplicas": sum(1 for wait in waits if wait <= 0),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    return Decision(
        create=min(max(0, wanted - len(alive)), _BURST),
        delete=surplus[:_BURST],
        status=status,
        again=min((wait for wait in waits if wait > 0), default=None),
    )


def _worth(pod: Object) -> tuple[Any, ...]:
    """Pods that sort first are given up first: unbound, then not running, then not ready, then those whose annotation
    says that they cost least, then the youngest."""
    born = pod["metadata"].get("creationTimestamp") or ""
    rank = (bool(pods.node_name(pod)), pods.phase(pod) == "Running", pods.ready(pod), _cost(pod))
    return (*rank, -clock.parse(born) if born else 0.0, meta.name(pod))


def _cost(pod: Object) -> int:
    text = meta.annotations(pod).get(_COST) or ""
    return int(text) if _WHOLE.fullmatch(text) else 0


class Reconciler:
    def __init__(self, kind: Kind, orphans: Orphans) -> None:
        self._kind, self._orphans = kind, orphans
        # For each set the uids of pods that were asked to go and that the mirror may still show as staying.
        self._leaving: dict[str, set[str]] = {}

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        replica_set = world.mirror(self._kind).get(namespace, name)
        if replica_set is None or meta.being_deleted(replica_set):
            self._leaving.pop(f"{namespace}/{name}", None)
            self._orphans.forget(namespace, name)
            return None
        owned = await self._orphans.held(world, replica_set)
        leaving = self._leaving.get(f"{namespace}/{name}", set()) & {meta.uid(pod) for pod in owned}
        self._leaving[f"{namespace}/{name}"] = leaving
        staying = [pod for pod in owned if meta.uid(pod) not in leaving]
        decision = decide(replica_set, staying, world.clock.now())
        await _delete(world, replica_set, decision.delete, leaving)
        failure = await _create(world, replica_set, decision.create)
        await self._report(world, replica_set, decision.status, failure)
        if isinstance(failure, errors.AlreadyExists):
            return _LOOK_AGAIN
        if failure is not None:
            raise failure
        return decision.again

    async def _report(self, world: World, replica_set: Object, counts: Object, failure: errors.ApiError | None) -> None:
        now = clock.timestamp(world.clock.now())
        said = replica_set.get("status") or {}
        kept = [item for item in said.get("conditions") or () if item["type"] != "ReplicaFailure"]
        status: Object = {**counts, "conditions": kept or None}
        if failure is not None and not isinstance(failure, errors.AlreadyExists):
            status["conditions"] = conditions.merged(
                said.get("conditions"), now, ("ReplicaFailure", True, "FailedCreate", failure.message)
            )
            await _say(world, replica_set, "FailedCreate", f"Error creating: {failure.message}", type_="Warning")
        if any(said.get(field) != value for field, value in status.items()):
            await world.client.patch_status(self._kind, meta.name(replica_set), meta.namespace(replica_set), status)


async def _delete(world: World, replica_set: Object, surplus: list[Object], leaving: set[str]) -> None:
    async def one(pod: Object) -> None:
        leaving.add(meta.uid(pod))
        try:
            await world.client.delete(POD, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
        except BaseException:
            leaving.discard(meta.uid(pod))
            raise
        await _say(world, replica_set, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")

    await asyncio.gather(*map(one, surplus))


async def _create(world: World, replica_set: Object, count: int) -> errors.ApiError | None:
    """Make `count` pods. The first failure ends it and is given back."""
    namespace, template = meta.namespace(replica_set), replica_set["spec"]["template"]
    mirror = world.mirror(POD)
    free = (name for name in _names(replica_set) if mirror.get(namespace, name) is None)

    async def one(name: str) -> errors.ApiError | None:
        try:
            await world.client.create(POD, pods.from_template(template, name, replica_set))
        except errors.ApiError as failure:
            return failure
        await _say(world, replica_set, "SuccessfulCreate", f"Created pod: {name}")
        return None

    for batch in _slow_start(list(itertools.islice(free, count))):
        failed = [failure for failure in await asyncio.gather(*map(one, batch)) if failure]
        if failed:
            serious = [failure for failure in failed if not isinstance(failure, errors.AlreadyExists)]
            return (serious or failed)[0]
    return None


def _names(replica_set: Object) -> Iterable[str]:
    for slot in itertools.count():
        yield names.child(meta.name(replica_set), pods.slug(meta.uid(replica_set), slot))


def _slow_start(todo: list[str]) -> Iterable[list[str]]:
    """1, 2, 4, ... at once, so that a template that cannot be created costs one request and not five hundred."""
    size = 1
    while todo:
        yield todo[:size]
        todo, size = todo[size:], size * 2


async def _say(world: World, replica_set: Object, reason: str, message: str, *, type_: str = "Normal") -> None:
    await events.record(
        world.client, world.clock, replica_set, reason, message, type=type_, component=_COMPONENTS[replica_set["kind"]]
    )
