"""Containers as their shepherds keep them on disk, whatever they are: started once, found again, told of once.

    a way to run them (`process`, `engine`) -> begin(request, shepherd) -> record, log, exit record -> `ended`

Under one folder for each pod: `NAME.ATTEMPT/` with record, exit record and logs, and what the container is given of its
own. The disk is the truth; this class only remembers which shepherds it talks to. It does not know what a request
starts: a program of the machine, or the attendant of a container in an engine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fairway.cluster.node import logs
from fairway.cluster.node.pacing import Pace
from fairway.cluster.node.runtime import CannotStart, ContainerId, ContainerState, Ended, ExecResult
from fairway.cluster.node.shepherd import records
from fairway.cluster.node.shepherds import Flock, Link, Message, Refused, ShepherdGone
from fairway.cluster.node.talking import COULD_NOT_RUN, Attachment, Talk
from fairway.cluster.node.volumes import folders

TEMPORARY = "tmp"
"""The folder, in the pod's own, that goes when the pod is over."""
_A_LONG_TALK = 7 * 24 * 3600.0
_LOST = "the process that watched over this container died, and the container with it; how it ended is not known"
_ATTEMPTS = 3


class Attended:
    def __init__(self, folder: Path, handler: str) -> None:
        self.pods_folder = folder / "pods"
        self.flock = Flock(folder / "shepherds", self._note_end, self._note_loss)
        self._handler = handler
        self._pace = Pace()
        self._ended: Ended = lambda state: None
        self.lost: Callable[[ContainerId], None] = lambda container: None
        """Told of containers whose shepherd died, where more than processes may be left of them."""
        self._found: set[str] = set()
        """Pods of which a container may be on disk: those found at the start, and those started since."""
        self._awaited: dict[ContainerId, asyncio.Future[None]] = {}

    async def open(self, ended: Ended) -> None:
        self.pods_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ended = ended
        self._found = self.pods()
        await self.flock.find()

    def started(self, container: ContainerId) -> ContainerState | None:
        """Its state where it has been started before. From now on its pod is one of ours."""
        folder = self.container_folder(container)
        if container.pod in self._found and records.read(folder, records.RECORD):
            return self._state(container, folder)
        self._found.add(container.pod)
        return None

    async def begin(
        self, container: ContainerId, request: Message, to: Callable[[], Awaitable[Link]], rewrite: Rewrite
    ) -> ContainerState:
        """Have the shepherd that `to` finds start it, and remember that. Raises CannotStart."""
        await self._pace.begin(container)
        try:
            started = await _to_its_end(self._ask(request, to, rewrite))
        except BaseException:
            self._pace.begun(container)
            raise
        return self._begun(container, started)

    def record(self, container: ContainerId) -> Message | None:
        """What was written down when it was started."""
        return records.read(self.container_folder(container), records.RECORD)

    def runs(self, container: ContainerId) -> bool:
        return str(container) in self.flock.running()

    def link_of(self, container: ContainerId) -> Link | None:
        record = self.record(container)
        return self.flock.linked(record["shepherd"]) if record else None

    # Talks

    async def talk(self, container: ContainerId, command: Sequence[str], *, terminal: bool) -> Talk:
        """A command that the shepherd starts beside the container's process. Raises CannotStart, OSError."""
        link = self._running(container)
        talk = Talk(self.folder(container.pod), terminal=terminal)
        request = {"op": "exec", "id": str(container), "argv": list(command), "timeout": _A_LONG_TALK}
        talk.begin(lambda paths: asyncio.ensure_future(_result(link, {**request, "streams": paths})))
        return talk

    async def attach(self, container: ContainerId) -> Talk:
        """The process itself. Raises CannotStart, OSError."""
        link, name = self._running(container), uuid.uuid4().hex
        about = {"id": str(container), "name": name}
        talk = Attachment(self.folder(container.pod), lambda message: link.tell({**message, **about}))
        talk.begin(lambda paths: asyncio.ensure_future(_result(link, {"op": "attach", **about, "streams": paths})))
        return talk

    def _running(self, container: ContainerId) -> Link:
        link = self.link_of(container)
        if link is None or str(container) not in link.running:
            raise CannotStart("NotRunning", f"container {container.name} is not running")
        return link

    # What is there

    def states(self, pod: str) -> list[ContainerState]:
        found: list[ContainerState] = []
        if pod not in self._found:
            return found
        for folder in (self.pods_folder / pod).glob("*.*"):
            if folder.suffix[1:].isdecimal() and (folder / records.RECORD).exists():
                found.append(self._state(ContainerId(pod, folder.stem, int(folder.suffix[1:])), str(folder)))
        return sorted(found, key=lambda state: (state.id.name, state.id.attempt))

    def pods(self) -> set[str]:
        return {entry.name for entry in os.scandir(self.pods_folder)}

    def folder(self, pod: str) -> Path:
        return self.pods_folder / pod

    def container_folder(self, container: ContainerId) -> str:
        return f"{self.pods_folder}/{container.pod}/{container.name}.{container.attempt}"

    def logs(self, container: ContainerId) -> list[Path]:
        log_file = Path(self.container_folder(container), records.LOG)
        return [path for path in (log_file.with_name("log.1"), log_file) if path.exists()]

    def end_of(self, container: ContainerId) -> asyncio.Future[None]:
        """Done once that container has ended."""
        return self._awaited.setdefault(container, asyncio.get_running_loop().create_future())

    # What goes

    def forget(self, container: ContainerId) -> None:
        shutil.rmtree(self.container_folder(container), ignore_errors=True)

    async def clear(self, pod: str) -> None:
        folder = f"{self.pods_folder}/{pod}/{TEMPORARY}"
        await _forget_memory(pod)
        if not _is_empty(folder):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def remove(self, pod: str) -> None:
        """Nothing of it runs any more."""
        self._found.discard(pod)
        await _forget_memory(pod)
        folder = self.pods_folder / pod
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    # Shepherds

    async def _ask(self, request: Message, to: Callable[[], Awaitable[Link]], rewrite: Rewrite) -> Message:
        """A shepherd that has just ended itself is replaced; a start that it had already done is not done again."""
        for _ in range(_ATTEMPTS):
            try:
                link = await to()
                link.running.add(request["id"])
                if link.mounts or not request["mounts"]:
                    return await link.ask(request)
                changed, note = rewrite(request)
                return {**await link.ask(changed), "note": note}
            except ShepherdGone:
                continue
            except Refused as refusal:
                raise CannotStart("StartError", str(refusal)) from refusal
        raise CannotStart("StartError", "the processes that start containers keep dying; see shepherds/*.log")

    # What became of it

    def _begun(self, container: ContainerId, record: Message) -> ContainerState:
        return ContainerState(
            container,
            started_at=record.get("started", 0.0),
            message=record.get("note", ""),
            handler=record.get("handler", self._handler),
            image_id=record.get("imageID", ""),
        )

    def _state(self, container: ContainerId, folder: str) -> ContainerState:
        record = records.read(folder, records.RECORD) or {}
        state = replace(self._begun(container, record), message="", address=record.get("address", ""))
        ended = records.read(folder, records.EXIT)
        if ended is None and str(container) not in self.flock.running():
            ended = _bury(folder, record)
            self.lost(container)
        return self._with_end(state, ended) if ended else state

    def _with_end(self, state: ContainerState, ended: Mapping[str, Any]) -> ContainerState:
        message = ended.get("message") or ""
        if ended["reason"] == "StartError" and not message:  # an engine says on the container's own streams why
            message = logs.last_lines(self.logs(state.id), 1, 2048).strip()
        return replace(
            state,
            finished_at=ended["finished"],
            exit_code=ended["code"],
            signal=ended.get("signal") or 0,
            reason=ended["reason"],
            message=message,
        )

    def _note_end(self, message: Message) -> None:
        container = _parse(message["ended"])
        self._pace.begun(container)
        self._tell(self._with_end(replace(self._begun(container, message), message=""), message))

    def _note_loss(self, ids: set[str]) -> None:
        for container in map(_parse, sorted(ids)):
            folder = self.container_folder(container)
            if records.read(folder, records.RECORD):
                self._tell(self._state(container, folder))

    def _tell(self, state: ContainerState) -> None:
        awaited = self._awaited.pop(state.id, None)
        if awaited and not awaited.done():
            awaited.set_result(None)
        self._ended(state)


Rewrite = Callable[[Message], tuple[Message, str]]
"""What is asked where the shepherd can give no mounts, and a note on what that means."""


async def _result(link: Link, request: Message) -> ExecResult:
    try:
        answer = await link.ask(request)
    except (Refused, ShepherdGone) as gone:
        return ExecResult(COULD_NOT_RUN, str(gone).encode())
    return ExecResult(answer["code"], answer["output"].encode())


async def _forget_memory(pod: str) -> None:
    """Volumes in memory go as soon as the pod is over."""
    place = folders.in_memory(pod)
    if place.exists():
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


def _is_empty(folder: str) -> bool:
    """An empty folder is as good as none, and costs less: a disk that has just removed much is slow to make anew."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def _parse(text: str) -> ContainerId:
    pod, name, attempt = text.split("/")
    return ContainerId(pod, name, int(attempt))


async def _to_its_end(asking: Coroutine[Any, Any, Message]) -> Message:
    """Not to be cancelled halfway: afterwards the disk says whether the container was started."""
    task = asyncio.ensure_future(asking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _bury(folder: str, record: Message) -> Message:
    """The end of a container whose shepherd is gone. What is left of it is killed, so that it cannot run twice."""
    pid = int(record.get("pid") or 0)
    if pid and "engine" not in record:  # who stands for a container is busy with removing it
        for member in _session(pid, int(record.get("ticks") or 0)):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
    ended = {
        "finished": max(record.get("started", 0.0), _last_word(folder)),
        "code": 137,
        "reason": "ContainerStatusUnknown",
        "message": _LOST,
    }
    records.write(folder, records.EXIT, ended)
    return ended


def _last_word(folder: str) -> float:
    with suppress(OSError):
        return os.stat(f"{folder}/{records.LOG}").st_mtime
    return 0.0


def _session(leader: int, ticks: int) -> list[int]:
    """The processes of a container's session. None where its leader's pid now names another process."""
    if records.start_ticks(leader) not in (0, ticks):
        return []
    members = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                pid = int(entry.name)
                if os.getsid(pid) == leader and records.start_ticks(pid) >= ticks:
                    members.append(pid)
    return members
