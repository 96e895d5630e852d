"""What runs containers: the protocol, and the values that cross it.

The agent decides when a container starts, is signalled and is forgotten; a runtime does it and keeps the truth
of what ran on disk, so that an agent that was killed finds it again. One contract suite judges every runtime
(`fairway.testing.runtime_contract`). A runtime knows nothing of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

POD_IP = "FAIRWAY_POD_IP"
"""The variable of a container that says which address it may listen on."""


@dataclass(frozen=True, slots=True)
class ContainerId:
    """One attempt at one container: a restart is a new attempt, so an id runs at most once, ever."""

    pod: str  # the pod's uid
    name: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.pod}/{self.name}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A host folder or file that the container sees at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Security:
    """What a securityContext asks for, the container's own words before the pod's. None where nobody says."""

    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] = ()
    not_root: bool = False
    read_only_root: bool = False
    privileged: bool = False
    no_new_privileges: bool = False
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    """Capabilities."""
    unconfined: bool = False
    """No seccomp profile."""
    refused: tuple[str, ...] = ()
    """What of it no runtime here does."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container that is ready to start: names are resolved, variables expanded, volumes on disk."""

    id: ContainerId
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    warm: str = ""
    requirements: tuple[str, ...] = ()
    memory_bytes: int = 0
    """The most memory it may use; 0 where there is no limit."""
    installs: bool = False
    """It installs packages by itself: what it changes must be its own."""
    runtime: str = ""
    """How it is to run, where the pod says so: as a process or as a container."""
    pull: str = "IfNotPresent"
    cpu_millis: int = 0
    """Thousandths of a processor; 0 where there is no limit."""
    own: tuple[Mount, ...] = ()
    """Where it finds what the platform gives it: its token, and the file for its last words. A process sees them
    anyway, by the paths in its environment."""
    security: Security = field(default_factory=Security)
    input: bool = False
    """Its standard input is open, for whoever attaches to write to."""
    input_once: bool = False
    """It ends with the first who attached."""
    terminal: bool = False
    """Its streams are a terminal."""
    logins: str = field(default="", repr=False)
    """What the engine may log in with where the image is pulled, as its own file has it."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """`exit_code` is None while it runs. `reason` is Kubernetes' word for the end: Completed, Error, OOMKilled...
    `message` is about the end, or, from `start`, what its owner should know of the way it runs."""

    id: ContainerId
    started_at: float
    finished_at: float = 0.0
    exit_code: int | None = None
    signal: int = 0
    reason: str = ""
    message: str = ""
    address: str = ""
    """What `POD_IP` said when it started."""
    handler: str = ""
    """What runs it, as in containerStatuses[].containerID; empty where that is the runtime's own."""
    image_id: str = ""

    @property
    def running(self) -> bool:
        return self.exit_code is None


@dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    output: bytes


class CannotStart(Exception):
    """The container cannot start as things are. `reason` becomes its waiting reason, the text its message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


Ended = Callable[[ContainerState], None]

Waiting = tuple[str, str]
"""The reason and the message of a container that waits."""


class Talk(Protocol):
    """A command that runs beside a container's processes, and somebody who talks with it."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next of what it says: 1 and output, or 2 and what goes to standard error; None when it has ended."""
        ...

    async def write(self, data: bytes) -> None:
        """To its standard input. Without effect where it has ended, or was opened without one."""
        ...

    def end_input(self) -> None: ...

    def resize(self, width: int, height: int) -> None:
        """Of its terminal, where it has one."""
        ...

    async def result(self) -> int:
        """Its exit code, once it has ended. Raises CannotStart where it could not be run."""
        ...

    async def close(self) -> None:
        """Hang up. A command with a terminal is told so by the system."""
        ...


class PodRuntime(Protocol):
    @property
    def handler(self) -> str:
        """Its name, as in containerStatuses[].containerID: process://..."""
        ...

    async def open(self, ended: Ended) -> None:
        """Find again what runs. From now on `ended` is called once for each container that ends."""
        ...

    async def awaits(self, spec: ContainerSpec) -> Waiting | None:
        """What `start` would first have to make ready, for those who wait; None where nothing. Raises CannotStart."""
        ...

    async def start(self, spec: ContainerSpec) -> ContainerState:
        """Start it; where this id has been started before, give its state instead. Raises CannotStart."""
        ...

    def states(self, pod: str) -> list[ContainerState]:
        """Every attempt of a pod's containers that is still on disk, running or ended, oldest first."""
        ...

    def pods(self) -> set[str]:
        """The uids of which something is left here."""
        ...

    def folder(self, pod: str) -> Path:
        """A folder of the pod's own: there once a container has started, or when somebody makes it before. `remove`
        deletes it."""
        ...

    async def signal(self, container: ContainerId, number: int) -> None:
        """Send a signal to all its processes. No effect where it has ended."""
        ...

    async def exec(self, container: ContainerId, command: Sequence[str], timeout: float) -> ExecResult:
        """Run a command beside the container's processes. Raises TimeoutError, and CannotStart where it has ended."""
        ...

    async def talk(self, container: ContainerId, command: Sequence[str], *, terminal: bool) -> Talk:
        """Run a command beside the container's processes, with streams. Raises CannotStart where that cannot be."""
        ...

    async def attach(self, container: ContainerId) -> Talk:
        """Talk with the container itself, from now on: hear what it says, and write to its input. Raises
        CannotStart where that cannot be. Hanging up ends nothing."""
        ...

    def logs(self, container: ContainerId) -> list[Path]:
        """Its log files in CRI format, oldest first; the last one may still grow."""
        ...

    def forget(self, container: ContainerId) -> None:
        """Delete the log and the record of an old attempt."""
        ...

    async def clear(self, pod: str) -> None:
        """Delete the temporary files of a pod that is over. Its logs and records stay."""
        ...

    async def remove(self, pod: str) -> None:
        """Kill what is left of a pod and delete its folder."""
        ...

    async def close(self) -> None:
        """Let go. What runs goes on running where the runtime can find it again."""
        ...
