"""A runtime for tests: containers are entries in a dict, and end when told, or at once.

What a container does is its command: `exit N` ends at once, `print TEXT` writes a line and ends, anything else runs
until it is told to end or is signalled. State lives in a `Disk` that outlives the runtime, as a real one's does.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairway.cluster.node import images
from fairway.cluster.node.runtime import (
    POD_IP,
    CannotStart,
    ContainerId,
    ContainerSpec,
    ContainerState,
    Ended,
    ExecResult,
    Talk,
    Waiting,
)


@dataclass
class Disk:
    """What a killed and restarted runtime finds again."""

    folder: Path
    states: dict[ContainerId, ContainerState] = field(default_factory=dict)
    specs: dict[ContainerId, ContainerSpec] = field(default_factory=dict)


class FakeRuntime:
    handler = "fake"

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.starts: list[ContainerId] = []
        """Every start that was carried out, in order."""
        self.ignores_term = False
        self._ended: Ended = lambda state: None

    async def open(self, ended: Ended) -> None:
        self._ended = ended

    async def awaits(self, spec: ContainerSpec) -> Waiting | None:
        return None

    async def start(self, spec: ContainerSpec) -> ContainerState:
        if spec.id in self.disk.states:
            return self.disk.states[spec.id]
        images.find(spec.image)
        self.starts.append(spec.id)
        state = ContainerState(spec.id, started_at=time.time(), address=spec.env.get(POD_IP, ""))
        self.disk.states[spec.id], self.disk.specs[spec.id] = state, spec
        match spec.command:
            case ("exit", code):
                self.end(spec.id, int(code))
            case ("print", text):
                self.write(spec.id, text)
                self.end(spec.id, 0)
        return state

    def end(self, container: ContainerId, code: int, reason: str = "", signal: int = 0) -> None:
        """Let a container end by itself."""
        state = self.disk.states[container]
        if state.running:
            reason = reason or ("Error" if code else "Completed")
            ended = replace(state, finished_at=time.time(), exit_code=code, reason=reason, signal=signal)
            self.disk.states[container] = ended
            self._ended(ended)

    def write(self, container: ContainerId, text: str) -> None:
        """Let a container print a line."""
        path = self._log(container)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.000000000Z stdout F {text}\n")

    def states(self, pod: str) -> list[ContainerState]:
        found = [state for container, state in self.disk.states.items() if container.pod == pod]
        return sorted(found, key=lambda state: (state.id.name, state.id.attempt))

    def pods(self) -> set[str]:
        return {container.pod for container in self.disk.states} | {path.name for path in self.disk.folder.iterdir()}

    def folder(self, pod: str) -> Path:
        folder = self.disk.folder / pod
        folder.mkdir(exist_ok=True)
        return folder

    async def signal(self, container: ContainerId, number: int) -> None:
        if number == 9 or not self.ignores_term:
            self.end(container, 128 + number, signal=number)

    async def talk(self, container: ContainerId, command: Sequence[str], *, terminal: bool) -> Talk:
        raise CannotStart("NotSupported", "this runtime runs nothing that could be talked with")

    async def attach(self, container: ContainerId) -> Talk:
        raise CannotStart("NotSupported", "this runtime runs nothing that could be talked with")

    async def exec(self, container: ContainerId, command: Sequence[str], timeout: float) -> ExecResult:
        if not self.disk.states[container].running:
            raise CannotStart("NotRunning", f"container {container.name} is not running")
        code = int(command[1]) if command[0] == "exit" else 0
        return ExecResult(code, " ".join(command).encode())

    def logs(self, container: ContainerId) -> list[Path]:
        return [path for path in [self._log(container)] if path.exists()]

    def forget(self, container: ContainerId) -> None:
        self.disk.states.pop(container, None)

    async def clear(self, pod: str) -> None:
        """It has no temporary files."""

    async def remove(self, pod: str) -> None:
        for state in self.states(pod):
            self.end(state.id, 137, signal=9)
            del self.disk.states[state.id]
        shutil.rmtree(self.disk.folder / pod, ignore_errors=True)

    async def close(self) -> None:
        self._ended = lambda state: None

    def _log(self, container: ContainerId) -> Path:
        return self.disk.folder / container.pod / f"{container.name}.{container.attempt}.log"
