"""The scheduler: pods without a node get one that has room, or are told why they wait.

Pods of equal demand wait in one line. When something frees up, only the head of each line is tried: if it
does not fit, nobody behind it does. So a thousand waiting pods cost no more than one. What fits is
`fitting`'s to say.

A pod is told why it waits only after a moment: most waits are over before the telling would be. The event
"Scheduled" of upstream is left out for the same reason; the condition PodScheduled says it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from fairway.cluster.workloads import fitting, pods
from fairway.cluster.workloads.fitting import Demand, Ledger
from fairway.kernel import clock as time
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control import events
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Ready, Service
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import NODE, POD, Object
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


@dataclass
class _Line:
    """Pods of equal demand, in the order in which they came, each with the moment it came."""

    demand: Demand
    waiting: dict[Key, float] = field(default_factory=dict)
    reason: str = ""
    message: str = ""


class Scheduler:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._pods = Mirror(client, POD, clock)
        self._nodes = Mirror(client, NODE, clock)
        self._ledger = Ledger()
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
            for mirror in (self._nodes, self._pods):
                tasks.create_task(mirror.run(), name=f"scheduler-{mirror.kind.resource}")
            await self._nodes.synced()
            await self._pods.synced()
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
            self._leave(key)
            self._assumed.discard(key)
            self._told.pop(key, None)
            if self._ledger.release(key):
                self._wake.set()
        if new is None or pods.over(new):
            return
        if node := pods.node_name(new):
            self._leave(key)
            self._assumed.discard(key)
            self._told.pop(key, None)
            if not self._ledger.knows(key):
                self._ledger.charge(key, node, pods.requests(new))
        elif meta.being_deleted(new):
            self._leave(key)
        elif key not in self._assumed and new["spec"].get("schedulerName", NAME) == NAME:
            self._queue(key, new)

    def _queue(self, key: Key, pod: Object) -> None:
        wanted = fitting.demand(pod)
        current = self._line_of.get(key)
        if current is not None and current.demand.signature == wanted.signature:
            return
        self._leave(key)
        line = self._lines.setdefault(wanted.signature, _Line(wanted))
        line.waiting[key] = self._clock.now()
        self._line_of[key] = line
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
            for line in list(self._lines.values()):
                await self._place_line(line, tasks)

    async def _place_line(self, line: _Line, tasks: asyncio.TaskGroup) -> None:
        while line.waiting:
            key = next(iter(line.waiting))
            node, line.reason, line.message = self._verdict(line.demand)
            if not node:
                self._untold.set()
                return
            self._leave(key)
            self._assumed.add(key)
            self._ledger.charge(key, node, line.demand.requests)
            await self._slots.acquire()
            tasks.create_task(self._bind(key, node), name=f"bind-{key[1]}")

    def _verdict(self, demand: Demand) -> tuple[str, str, str]:
        if demand.spec.get("schedulingGates"):
            return "", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"
        if refused := fitting.unsupported(demand.spec):
            return "", "Unschedulable", refused
        node, why = self._ledger.place(demand)
        return node, "Unschedulable", why

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
            await asyncio.gather(*(self._say(*one) for one in due[:_TOLD_AT_ONCE]))
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
        await events.record(self._client, self._clock, pod, "FailedScheduling", message, type="Warning", component=NAME)
