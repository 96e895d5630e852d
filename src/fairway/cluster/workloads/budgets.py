"""PodDisruptionBudgets: how many of the pods that one covers may be missing at the moment.

What an eviction takes from `disruptionsAllowed` is written by the API, which also notes the pod; here it is counted
anew from the pods whenever one of them changes. Decides in `budget_render`.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import budget_render, discovery
from fairway.kernel import clock
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta, selectors
from fairway.kernel.objects.kinds import (
    DEPLOYMENT,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    Kind,
    Object,
)
from fairway.kernel.objects.meta import Key
from fairway.kernel.objects.selectors import Test


def controller() -> Controller:
    book = _Book()
    return Controller(
        "budgets",
        POD_DISRUPTION_BUDGET,
        _Reconciler(book).reconcile,
        watches=((POD, book.budgets_of),),
        reads=(REPLICA_SET,),
    )


class _Book:
    """Which budgets a pod is covered by, kept so that a pod's change costs a look at its namespace's budgets."""

    def __init__(self) -> None:
        self._tests: dict[str, dict[str, Test]] = {}

    def note(self, namespace: str, name: str, budget: Object | None) -> None:
        if budget is None:
            self._tests.get(namespace, {}).pop(name, None)
        else:
            self._tests.setdefault(namespace, {})[name] = selectors.of_stored(
                (budget.get("spec") or {}).get("selector")
            )

    def budgets_of(self, pod: Object) -> Iterable[Key]:
        for name, covers in self._tests.get(meta.namespace(pod), {}).items():
            if covers(meta.labels(pod)):
                yield meta.namespace(pod), name


class _Reconciler:
    def __init__(self, book: _Book) -> None:
        self._book = book

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        budget = world.mirror(POD_DISRUPTION_BUDGET).get(namespace, name)
        self._book.note(namespace, name, budget)
        if budget is None:
            return None
        covers = selectors.of_stored((budget.get("spec") or {}).get("selector"))
        pods = [pod for pod in world.mirror(POD).all(namespace) if covers(meta.labels(pod))]
        now = world.clock.now()
        try:
            expected = await _scale(world, pods) if budget_render.needs_scale(budget) else len(pods)
            status, again = budget_render.status(budget, pods, expected, now)
        except _Unscalable as problem:
            status, again = budget_render.failed(budget, str(problem), clock.timestamp(now)), None
        if status != budget.get("status"):
            body = {**budget, "status": status}
            await world.client.update(POD_DISRUPTION_BUDGET, body, subresource="status")
        return again


_USUAL = (DEPLOYMENT, REPLICA_SET, STATEFUL_SET, REPLICATION_CONTROLLER)
"""Owners for which nobody has to be asked what they are."""


class _Unscalable(Exception):
    """What owns a pod does not say how many it wants."""


async def _scale(world: World, pods: Iterable[Object]) -> int:
    """How many pods their owners want altogether. Pods that nobody owns are not counted."""
    owners = {owner["uid"]: (owner, meta.namespace(pod)) for pod in pods if (owner := meta.controller_of(pod))}
    wanted: dict[str, int] = {}
    for owner, namespace in owners.values():
        top = _top(world, owner, namespace)
        if top["uid"] not in wanted:
            wanted[top["uid"]] = await _replicas(world, top, namespace)
    return sum(wanted.values())


def _top(world: World, owner: Object, namespace: str) -> Object:
    """A ReplicaSet of a Deployment stands for the Deployment, which may be on its way from one to another."""
    if owner["kind"] == REPLICA_SET.kind:
        found = world.mirror(REPLICA_SET).get(namespace, owner["name"])
        return (meta.controller_of(found) if found else None) or owner
    return owner


async def _replicas(world: World, owner: Object, namespace: str) -> int:
    kind = next((kind for kind in _USUAL if _is(kind, owner)), None)
    if kind is None:
        served = await discovery.kinds(world.client, verbs=("get",))
        kind = next((kind for kind in served if _is(kind, owner)), None)
    if kind is None:
        raise _Unscalable(f"{owner['kind']} of {owner['apiVersion']} is not served")
    path = kind.path(namespace, owner["name"], "scale")
    try:
        scale = await world.client.transport.request("GET", path)
    except errors.NotFound:
        if await world.client.find(kind, owner["name"], namespace) is None:
            return 0  # its pods are about to go
        raise _Unscalable(f"{kind.resource} does not implement the scale subresource") from None
    except errors.MethodNotAllowed:
        raise _Unscalable(f"{kind.resource} does not implement the scale subresource") from None
    return int((scale.get("spec") or {}).get("replicas") or 0)


def _is(kind: Kind, owner: Object) -> bool:
    return (kind.group, kind.kind) == (owner["apiVersion"].rpartition("/")[0], owner["kind"])
