"""One pod, from the moment it is bound to this node until it is gone.

    recover -> init containers in order (sidecars stay) -> main containers -> their ends, restarts -> phase
                                  deletion, deadline  -> stop what runs -> last status -> the object goes

What the worker knows is in `View`s; `publish` writes the status that follows from them, at most one write at a
time, and none that says nothing new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from fairway.cluster.node.containers import Container, Tell, Tools, grace_seconds
from fairway.cluster.node.runtime import ContainerState
from fairway.cluster.node.status import CREATING, INITIALIZING, Place, Verdict, View, phase_of, pod_status
from fairway.cluster.node.volumes import sizes
from fairway.kernel.clock import parse, timestamp
from fairway.kernel.control import events
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import POD, Object

log = logging.getLogger(__name__)

_SLOW_START = 1.0
"""Seconds after which a pod that is still being prepared says so; a fast one saves the write."""
_BRIEF = 0.5
"""Seconds for which a pod that is to end may run before it is said to: a shorter one tells all in one write. A kubelet
takes up to a second."""
_DEADLINE = Verdict("Failed", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
_SHUTDOWN = Verdict("Failed", "Terminated", "Pod was terminated in response to imminent node shutdown.", disrupted=True)
_SHUTDOWN_GRACE = 10.0
_SIZES_EVERY = 10.0
"""Seconds between two looks at what a pod has on disk, where that is limited; as the kubelet's."""
_EVICTED = "Evicted"
_EVICTION_GRACE = 1.0


class Worker:
    def __init__(self, tools: Tools, pod: Object) -> None:
        self.pod = pod
        self._tools = tools
        self._stopping = asyncio.Event()
        self._gone = False
        self._interrupted = False
        self._verdict: Verdict | None = None
        self._place = Place("", "", "", "")
        self._written: Object = {}
        self._dirty = False
        self._writer: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._telling: set[asyncio.Task[None]] = set()
        tell = Tell(self._begun, self._publish_unless_leaving, self.tell)
        views = [View(spec, init=True) for spec in pod["spec"].get("initContainers") or ()]
        waiting = INITIALIZING if views else CREATING
        views += [View(spec, waiting=waiting) for spec in pod["spec"]["containers"]]
        self._containers = {view.name: Container(tools, view, lambda: self.pod, tell) for view in views}
        self.update(pod)

    # What others tell it

    def update(self, pod: Object) -> None:
        """The object as the API has it now."""
        self.pod = pod
        if meta.being_deleted(pod):
            self._stopping.set()

    def gone(self) -> None:
        """The object is deleted, by force: nobody waits for its processes any more."""
        self._gone = True
        self._stopping.set()

    def shut_down(self) -> None:
        """The node is leaving. Pods that restart will; the others end here, and are not to blame."""
        self._stopping.set()

    def ended(self, state: ContainerState) -> None:
        if container := self._containers.get(state.id.name):
            container.ended(state)

    # Its life

    async def run(self) -> None:
        """Until the pod is over: finished, or stopped and its object asked to go."""
        self._place = self._find_place()
        self._recover()
        late = asyncio.get_running_loop().call_later(_SLOW_START, self._say_so_if_slow)
        life = asyncio.create_task(self._live(), name=f"life-{meta.name(self.pod)}")
        stopping = asyncio.create_task(self._stopping.wait())
        watched: set[asyncio.Task[Any]] = {life, stopping}
        outgrowing = asyncio.create_task(self._outgrow()) if sizes.limited(self.pod) else None
        if outgrowing:
            watched.add(outgrowing)
        if deadline := self._deadline():
            watched.add(asyncio.create_task(self._tools.clock.sleep(deadline - self._tools.clock.now())))
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
            elif not self._stopping.is_set():
                self._verdict = outgrowing.result() if outgrowing and outgrowing.done() else _DEADLINE
        finally:
            late.cancel()
            if self._later:
                self._later.cancel()
            for task in watched:
                task.cancel()
            await asyncio.gather(*watched, return_exceptions=True)
        if not life.done() or life.cancelled():
            self._interrupted = True
            await self._stop_everything()
        await self._finish()

    async def _live(self) -> None:
        sidecars: list[tuple[Container, asyncio.Task[bool]]] = []
        mains = []
        try:
            for container in self._containers.values():
                if container.view.sidecar:
                    sidecars.append((container, asyncio.create_task(container.run())))
                    await container.up.wait()
                elif not container.view.init:
                    mains.append(container)
                elif not await container.run():
                    return
            async with asyncio.TaskGroup() as tasks:
                for container in mains:
                    tasks.create_task(container.run(), name=f"{meta.name(self.pod)}/{container.view.name}")
        finally:
            for _, task in sidecars:
                task.cancel()
            await asyncio.gather(*(task for _, task in sidecars), return_exceptions=True)
        await self._stop_sidecars()

    async def _outgrow(self) -> Verdict:
        """Once the pod has more on disk than it may. It is to blame for that itself."""
        folder = self._tools.runtime.folder(meta.uid(self.pod))
        while True:
            await self._tools.clock.sleep(_SIZES_EVERY)
            if message := await asyncio.to_thread(sizes.exceeded, self.pod, folder):
                self.tell(_EVICTED, message, "Warning")
                return Verdict("Failed", _EVICTED, message)

    def _find_place(self) -> Place:
        tools, status = self._tools, self.pod.get("status") or {}
        return Place(
            host_ip=tools.launcher.host_ip,
            pod_ip=tools.launcher.address(self.pod),
            start_time=status.get("startTime") or timestamp(tools.clock.now()),
            handler=tools.runtime.handler,
        )

    def _recover(self) -> None:
        states = self._tools.runtime.states(meta.uid(self.pod))
        for name, container in self._containers.items():
            container.recover([state for state in states if state.id.name == name])

    # Its end

    async def _stop_everything(self) -> None:
        self._recover()  # a start that was under way when the life ended may have succeeded
        mains = [each for each in self._containers.values() if not each.view.sidecar]
        await asyncio.gather(*(container.stop(self._kill_time()) for container in mains))
        await self._stop_sidecars()

    async def _stop_sidecars(self) -> None:
        for container in reversed(self._containers.values()):
            if container.view.sidecar:
                await container.stop(self._kill_time())

    def _kill_time(self) -> Callable[[], float]:
        """When patience ends. A second deletion may ask for less, so it is asked again and again."""
        begun = self._tools.clock.now()

        def when() -> float:
            if self._gone:
                return begun
            if self._tools.leaving.is_set():
                return begun + min(grace_seconds(self.pod), _SHUTDOWN_GRACE)
            if at := self.pod["metadata"].get("deletionTimestamp"):
                return min(parse(at), begun + float(self._deletion_grace()))
            if self._verdict and self._verdict.reason == _EVICTED:
                return begun + min(grace_seconds(self.pod), _EVICTION_GRACE)
            return begun + grace_seconds(self.pod)

        return when

    def _deletion_grace(self) -> float:
        asked = self.pod["metadata"].get("deletionGracePeriodSeconds")
        return grace_seconds(self.pod) if asked is None else float(asked)

    async def _finish(self) -> None:
        if self._gone:
            return
        if self._tools.leaving.is_set() and not meta.being_deleted(self.pod):
            if self.pod["spec"].get("restartPolicy", "Always") == "Always":
                return
            if self._interrupted and not self._verdict:
                if not any(view.state or view.last for view in self._views()):
                    return  # nothing of it has begun: it does at the next start
                if self._phase() != "Succeeded":
                    self._verdict = _SHUTDOWN
        if self._verdict or self._phase() in ("Succeeded", "Failed"):
            if self._verdict and self._verdict.reason == _EVICTED:
                folder = self._tools.runtime.folder(meta.uid(self.pod))
                await asyncio.to_thread(sizes.release, self.pod, folder)
            await self._tools.runtime.clear(meta.uid(self.pod))  # before the status: it may have filled the disk
        self.publish()
        await self._flush()
        if meta.being_deleted(self.pod):
            await remove_object(self._tools, self.pod)

    def _phase(self) -> str:
        return phase_of(self.pod, self._views())

    def _deadline(self) -> float | None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        return None if seconds is None else parse(self._place.start_time) + float(seconds)

    # What it tells others

    def publish(self) -> None:
        self._dirty = True
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name=f"status-{meta.name(self.pod)}")

    def _begun(self) -> None:
        if self.pod["spec"].get("restartPolicy", "Always") == "Always":
            self.publish()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(_BRIEF, self.publish)

    def _publish_unless_leaving(self) -> None:
        """A container that ends with its node is told of once, with the verdict: alone it would look like a failure."""
        if not (self._interrupted and self._tools.leaving.is_set()):
            self.publish()

    def tell(self, reason: str, message: str, type_: str) -> None:
        """Record an event without waiting for it."""
        tools = self._tools
        task = asyncio.create_task(
            events.record(tools.client, tools.clock, self.pod, reason, message, type=type_, component="kubelet")
        )
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _views(self) -> list[View]:
        return [container.view for container in self._containers.values()]

    def _say_so_if_slow(self) -> None:
        if not self._written:
            self.publish()

    async def _flush(self) -> None:
        if self._writer:
            await self._writer
        if self._telling:
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def _write(self) -> None:
        delay = 0.05
        while self._dirty and not self._gone:
            self._dirty = False
            status = pod_status(self.pod, self._views(), self._place, self._tools.clock.now(), self._verdict)
            if status == self._written:
                continue
            # With the uid, a pod of the same name that came later is never given this one's status.
            patch = {"metadata": {"uid": meta.uid(self.pod)}, "status": status}
            try:
                await self._tools.client.patch(
                    POD, meta.name(self.pod), meta.namespace(self.pod), patch, subresource="status"
                )
                self._written, delay = status, 0.05
            except (errors.NotFound, errors.Conflict, errors.Invalid) as refusal:
                log.info("status of pod %s was not taken: %s", meta.name(self.pod), refusal)
                return
            except (errors.ApiError, OSError) as failure:
                if self._tools.leaving.is_set():
                    log.warning("status of pod %s is told at the next start: %s", meta.name(self.pod), failure)
                    return
                log.warning("status of pod %s will be written again: %s", meta.name(self.pod), failure)
                self._dirty = True
                await self._tools.pause(delay)
                delay = min(delay * 2, 10.0)


async def remove_object(tools: Tools, pod: Object) -> None:
    """Nothing of the pod runs any more: let its object go."""
    while True:
        try:
            await tools.client.delete(POD, meta.name(pod), meta.namespace(pod), grace_seconds=0, uid=meta.uid(pod))
            return
        except errors.Conflict:
            return  # another pod has the name by now
        except (errors.ApiError, OSError) as failure:
            log.warning("pod %s is not deleted yet: %s", meta.name(pod), failure)
            if tools.leaving.is_set():
                return
            await tools.pause(1.0)
