"""The scheduler's loop: pods without a node get one that has room, or are told why they wait.

Pods of equal demand wait in one line; the lines are asked by priority, and among equals by who came first. When
something frees up, only the head of each line is tried: if it does not fit, nobody behind it does. So a thousand
waiting pods cost no more than one. What fits is the ledger's to say; where nothing does, pods of lower priority may
have to go, which `preemption` decides and `making_room` does.

A pod is told why it waits only after a moment: most waits are over before the telling would be. The event
"Scheduled" of upstream is left out for the same reason; the condition PodScheduled says it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from dataclasses import dataclass, field

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.scheduling import demand, making_room, preemption
from fairway.cluster.workloads.scheduling.demand import Demand
from fairway.cluster.workloads.scheduling.ledger import Ledger, Placement
from fairway.cluster.workloads.scheduling.preemption import Preemption
from fairway.kernel import clock as time
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control import events
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Ready, Service
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import (
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    Object,
)
from fairway.kernel.objects.meta import Key

log = logging.getLogger(__name__)

NAME = "default-scheduler"
_PATIENCE = 1.0  # seconds a pod waits before it is told why
_SECOND_TRY = 0.1
_BINDINGS = 32  # at once
_TOLD_AT_ONCE = 100


def service(client: Client, clock: Clock) -> Service:
    async def run(ready: Ready) -> None:
        await Scheduler(client, clock).run(ready)

    return Service("scheduler", run)


_GATED = "SchedulingGated"
_UNREADABLE = "what the pod asks for cannot be read: the server's log says more"


@dataclass
class _Line:
    """Pods of equal demand, in the order in which they came, each with the moment it came."""

    demand: Demand
    waiting: dict[Key, float] = field(default_factory=dict)
    reason: str = ""
    message: str = ""


@dataclass
class _Turn:
    """A line that is being asked. Who was tried and still waits has room that is being made."""

    line: _Line
    tried: set[Key] = field(default_factory=set)

    @property
    def head(self) -> Key | None:
        return next((key for key in self.line.waiting if key not in self.tried), None)

    @property
    def rank(self) -> tuple[int, float]:
        head = self.head
        return -self.line.demand.priority, self.line.waiting[head] if head is not None else 0.0


class Scheduler:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._pods = Mirror(client, POD, clock)
        self._nodes = Mirror(client, NODE, clock)
        self._claims = Mirror(client, PERSISTENT_VOLUME_CLAIM, clock)
        self._volumes = Mirror(client, PERSISTENT_VOLUME, clock)
        self._namespaces = Mirror(client, NAMESPACE, clock)
        self._budgets = Mirror(client, POD_DISRUPTION_BUDGET, clock)
        self._ledger = Ledger(self._namespace_labels, self._claims.get, lambda name: self._volumes.get("", name))
        self._lines: dict[str, _Line] = {}
        self._line_of: dict[Key, _Line] = {}
        self._assumed: set[Key] = set()  # being bound, or bound and not yet seen so
        self._told: dict[Key, str] = {}
        self._wake, self._untold = asyncio.Event(), asyncio.Event()
        self._slots = asyncio.Semaphore(_BINDINGS)

    async def run(self, ready: Ready) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._nodes.subscribe(self._node_changed)
            self._pods.subscribe(self._pod_changed)
            for looked_at in (self._claims, self._volumes):
                looked_at.subscribe(lambda old, new: self._wake.set())
            everything = (self._nodes, self._pods, self._claims, self._volumes, self._namespaces)
            for mirror in (*everything, self._budgets):
                tasks.create_task(mirror.run(), name=f"scheduler-{mirror.kind.resource}")
            for mirror in everything:
                await mirror.synced()
            tasks.create_task(self._tell(), name="scheduler-tell")
            ready()
            await self._place(tasks)

    # What changes

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        seen = new or old
        if seen is not None:
            self._ledger.node_changed(meta.name(seen), new)
            self._wake.set()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        seen = new or old
        if seen is None:
            return
        key = meta.key(seen)
        if new is None or pods.over(new) or (old is not None and meta.uid(old) != meta.uid(new)):
            self._forget(key)
            if self._ledger.release(key):
                self._wake.set()
        if new is None or pods.over(new):
            return
        if node := pods.node_name(new):
            self._forget(key)
            if not self._ledger.seen(key, new):
                self._charge(key, node, new)
        elif meta.being_deleted(new):
            self._forget(key)
        elif key not in self._assumed and new["spec"].get("schedulerName", NAME) == NAME:
            self._queue(key, new)

    def _forget(self, key: Key) -> None:
        """The pod waits no longer, and no room is kept for it."""
        self._leave(key)
        self._assumed.discard(key)
        self._told.pop(key, None)
        if self._ledger.forget(key):
            self._wake.set()

    def _charge(self, key: Key, node: str, pod: Object) -> None:
        before = self._ledger.labelled
        self._ledger.charge(key, node, pod, pods.requests(pod))
        if self._ledger.labelled and not before:
            # From now on labels matter: pods that were alike may be alike no longer.
            for other in list(self._line_of):
                if waiting := self._pods.get(*other):
                    self._queue(other, waiting)

    def _namespace_labels(self, name: str) -> dict[str, str]:
        found = self._namespaces.get("", name)
        return meta.labels(found) if found else {}

    def _queue(self, key: Key, pod: Object) -> None:
        wanted = demand.of(pod, labelled=self._ledger.labelled)
        current = self._line_of.get(key)
        if current is not None and current.demand.signature == wanted.signature:
            return
        since = current.waiting[key] if current is not None else self._clock.now()
        self._leave(key)
        line = self._lines.setdefault(wanted.signature, _Line(wanted))
        line.waiting[key] = since
        self._line_of[key] = line
        if current is None and (node := (pod.get("status") or {}).get("nominatedNodeName")):
            self._ledger.keep(key, node, pod, wanted.requests)  # as it was before a restart
        self._wake.set()

    def _leave(self, key: Key) -> None:
        line = self._line_of.pop(key, None)
        if line is not None:
            line.waiting.pop(key, None)
            if not line.waiting:
                self._lines.pop(line.demand.signature, None)

    # Placing

    async def _place(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._ask_all(tasks)

    async def _ask_all(self, tasks: asyncio.TaskGroup) -> None:
        """Each line in its turn, the most important and oldest head first; one whose head gets nothing is done."""
        numbers = itertools.count()
        heap = [(*turn.rank, next(numbers), turn) for turn in map(_Turn, self._lines.values())]
        heapq.heapify(heap)
        while heap:
            turn = heapq.heappop(heap)[-1]
            if await self._take_turn_safely(turn, tasks):
                heapq.heappush(heap, (*turn.rank, next(numbers), turn))

    async def _take_turn_safely(self, turn: _Turn, tasks: asyncio.TaskGroup) -> bool:
        """What one pod asks for, and cannot be read, must not keep all others from their nodes."""
        try:
            return await self._take_turn(turn, tasks)
        except Exception:
            log.exception("pods that ask for %s are not placed", turn.line.demand.spec)
            turn.line.reason, turn.line.message = "Unschedulable", _UNREADABLE
            self._untold.set()
            return False

    async def _take_turn(self, turn: _Turn, tasks: asyncio.TaskGroup) -> bool:
        """Try the next of a line; whether the one behind it may be tried: it got a node, or room is made for it."""
        key, line = turn.head, turn.line
        if key is None:
            return False
        turn.tried.add(key)
        pod = self._pods.get(*key)
        if pod is None:
            return True
        placement = self._verdict(line, key)
        if placement.node:
            self._leave(key)
            self._assumed.add(key)
            self._charge(key, placement.node, pod)
            await self._slots.acquire()
            tasks.create_task(self._bind(key, placement.node), name=f"bind-{key[1]}")
            return True
        self._untold.set()
        return self._made_room(line, key, pod, placement, tasks)

    def _verdict(self, line: _Line, key: Key) -> Placement:
        if line.demand.spec.get("schedulingGates"):
            line.reason, line.message = _GATED, "Scheduling is blocked due to non-empty scheduling gates"
            return Placement("")
        placement = self._ledger.place(line.demand, key)
        line.reason, line.message = "Unschedulable", placement.why
        return placement

    def _made_room(self, line: _Line, key: Key, pod: Object, placement: Placement, tasks: asyncio.TaskGroup) -> bool:
        """Ask pods of lower priority to go, where that helps; whether the pod has room that is kept for it."""
        if not placement.found:
            return False
        found = preemption.find(self._ledger, line.demand, key, placement, self._budgets.all())
        if not found.node:
            line.message = f"{placement.why} {found.why}"
            return bool(self._ledger.kept_for(key))
        self._ledger.keep(key, found.node, pod, line.demand.requests)
        for victim in found.victims:
            victim.asked = True
        tasks.create_task(self._make_room(pod, found), name=f"preempt-{key[1]}")
        return True

    async def _make_room(self, pod: Object, found: Preemption) -> None:
        await making_room.make(self._client, self._clock, pod, found)
        if not all(victim.asked for victim in found.victims):
            await self._clock.sleep(_SECOND_TRY)
            self._wake.set()

    async def _bind(self, key: Key, node: str) -> None:
        namespace, name = key
        pod = self._pods.get(*key)
        uid = meta.uid(pod) if pod else ""
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, **({"uid": uid} if uid else {})},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._client.transport.request("POST", POD.path(namespace, name, "binding"), body=body)
        except (errors.ApiError, OSError) as failure:
            log.debug("pod %s/%s was not bound to %s: %s", namespace, name, node, failure)
            await self._unbind(key)
        finally:
            self._slots.release()

    async def _unbind(self, key: Key) -> None:
        """The binding failed: give the room back, and try again unless the pod is gone or has a node by then."""
        await self._clock.sleep(_SECOND_TRY)
        self._assumed.discard(key)
        pod = self._pods.get(*key)
        if pod is None or not pods.node_name(pod):
            self._ledger.release(key)
        if pod is not None:
            self._pod_changed(None, pod)
        self._wake.set()

    # Telling

    async def _tell(self) -> None:
        while True:
            await self._untold.wait()
            self._untold.clear()
            await self._clock.sleep(_PATIENCE)
            latest = self._clock.now() - _PATIENCE
            due = [
                (key, line.reason, line.message)
                for line in list(self._lines.values())
                for key, since in line.waiting.items()
                if line.message and self._told.get(key) != line.message and since <= latest
            ]
            said = await asyncio.gather(*(self._say(*one) for one in due[:_TOLD_AT_ONCE]), return_exceptions=True)
            for problem in said:
                if isinstance(problem, Exception):
                    log.error("a pod is not told why it waits", exc_info=problem)
            young = any(since > latest for line in self._lines.values() for since in line.waiting.values())
            if young or len(due) > _TOLD_AT_ONCE:
                self._untold.set()

    async def _say(self, key: Key, reason: str, message: str) -> None:
        pod = self._pods.get(*key)
        if pod is None or key not in self._line_of:
            return
        now = time.timestamp(self._clock.now())
        said = (pod.get("status") or {}).get("conditions")
        status = {"conditions": conditions.merged(said, now, ("PodScheduled", False, reason, message))}
        guarded = {"metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]}, "status": status}
        try:
            await self._client.patch(POD, key[1], key[0], guarded, subresource="status")
        except (errors.ApiError, OSError):
            self._untold.set()
            return
        self._told[key] = message
        if reason == _GATED:
            return  # it waits because somebody wants it to
        await events.record(self._client, self._clock, pod, "FailedScheduling", message, type="Warning", component=NAME)
