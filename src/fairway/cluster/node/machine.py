"""The runtime of this machine: each container runs as a process, or in a container engine where one is installed.

    spec -> which way? -> Processes | Containers -> Attended (record, log, end)

An image of the catalogue is a process, any other one is a container; the pod's annotation `fairway.dev/runtime`, or the
node's settings, may ask for the other way. Both ways keep the same things on disk, so that what ran is found again
whatever the settings are by then.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from fairway.cluster.node import images
from fairway.cluster.node.attended import Attended
from fairway.cluster.node.engine.containers import Containers
from fairway.cluster.node.engine.finding import Finder
from fairway.cluster.node.process import Processes
from fairway.cluster.node.runtime import (
    CannotStart,
    ContainerId,
    ContainerSpec,
    ContainerState,
    Ended,
    ExecResult,
    Talk,
    Waiting,
)

PROCESS, CONTAINER = "process", "container"
WAYS = (PROCESS, CONTAINER)
"""What the annotation and the setting may say."""

ENGINE_NOTE, PROCESSES_NOTE = "fairway.dev/container-engine", "fairway.dev/process-images"
"""Annotations of the Node: which engine runs containers, or why none does; and which images are processes in any
case."""
NO_ENGINE, LOOKING = "none: ", "looking"
"""What the first one says where there is no engine, and until that is known."""

_KILLED_WITHIN = 10.0
"""Seconds; only a process that hangs in the kernel takes longer than milliseconds."""


class MachineRuntime:
    """`engine` is what the settings say of a container engine (see `finding`); `usual` is the way of an image that is
    in the catalogue; `own` are further lines of it."""

    handler = PROCESS

    def __init__(
        self,
        folder: Path,
        *,
        preload: Path | None = None,
        engine: str = "none",
        usual: str = PROCESS,
        own: images.Own = (),
    ) -> None:
        self._attended = Attended(folder, PROCESS)
        self._processes = Processes(folder, self._attended, preload, own)
        self._usual, self._own = usual, own
        self.engine = Finder(folder, engine)
        self._containers = Containers(folder, self._attended, self.engine, preload)

    async def open(self, ended: Ended) -> None:
        await self._attended.open(ended)
        self._containers.open()

    async def awaits(self, spec: ContainerSpec) -> Waiting | None:
        return await self._way(spec).awaits(spec)

    async def start(self, spec: ContainerSpec) -> ContainerState:
        return self._attended.started(spec.id) or await self._way(spec).start(spec)

    async def prepare(self, warm_set: str) -> None:
        await self._processes.prepare(warm_set)

    def notes(self) -> dict[str, str]:
        """What is to be known of the engine, as annotations of the Node."""
        found, told = self.engine.found, LOOKING
        if self.engine.looked:
            told = found.told if found else f"{NO_ENGINE}{self.engine.why_not}"
        processes = images.OURS if self._usual == CONTAINER else images.patterns(self._own)
        return {ENGINE_NOTE: told, PROCESSES_NOTE: ",".join(processes)}

    def states(self, pod: str) -> list[ContainerState]:
        return self._attended.states(pod)

    def pods(self) -> set[str]:
        return self._attended.pods()

    def folder(self, pod: str) -> Path:
        return self._attended.folder(pod)

    async def signal(self, container: ContainerId, number: int) -> None:
        await self._way_of(container).signal(container, number)

    async def exec(self, container: ContainerId, command: Sequence[str], timeout: float) -> ExecResult:
        return await self._way_of(container).exec(container, command, timeout)

    async def talk(self, container: ContainerId, command: Sequence[str], *, terminal: bool) -> Talk:
        return await self._way_of(container).talk(container, command, terminal=terminal)

    async def attach(self, container: ContainerId) -> Talk:
        return await self._way_of(container).attach(container)

    def logs(self, container: ContainerId) -> list[Path]:
        return self._attended.logs(container)

    def forget(self, container: ContainerId) -> None:
        self._attended.forget(container)

    async def clear(self, pod: str) -> None:
        await self._attended.clear(pod)

    async def remove(self, pod: str) -> None:
        running = [state.id for state in self.states(pod) if state.running]
        ends = [self._attended.end_of(container) for container in running]
        await asyncio.gather(*(self.signal(container, signal.SIGKILL) for container in running))
        if ends:
            await asyncio.wait(ends, timeout=_KILLED_WITHIN)
        await self._attended.remove(pod)
        await self._containers.remove(pod)

    async def retire(self) -> None:
        """Let the shepherds end now and not when they have been idle for a while."""
        await self._attended.flock.retire()

    async def close(self) -> None:
        await self._containers.close()
        await self._processes.close()
        await self._attended.flock.close()

    def _way(self, spec: ContainerSpec) -> Processes | Containers:
        if spec.image.startswith("-") or not spec.image.isprintable() or " " in spec.image:
            # An engine would take the first for an option of its own.
            raise CannotStart(
                "InvalidImageName", f'couldn\'t parse image name "{spec.image}": invalid reference format'
            )
        if spec.runtime and spec.runtime not in WAYS:
            said = f'annotation fairway.dev/runtime: "{spec.runtime}" is neither {" nor ".join(WAYS)}'
            raise CannotStart("InvalidRuntime", said)
        if images.ours(spec.image):
            return self._processes
        if spec.runtime == CONTAINER or (self._usual == CONTAINER and not spec.runtime):
            return self._containers
        if spec.runtime == PROCESS or images.runs_here(spec.image, self._own) or not self.engine.wanted:
            return self._processes
        return self._containers

    def _way_of(self, container: ContainerId) -> Processes | Containers:
        """The way in which it was started."""
        record = self._attended.record(container)
        return self._containers if record and "engine" in record else self._processes
