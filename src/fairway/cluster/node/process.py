"""Containers as host processes: the default runtime.

    spec -> image catalogue, environment, base variables -> a shepherd (warm where it can be) -> fork

On disk, under one folder for each pod: `NAME.ATTEMPT/` with record, exit record and logs, `home` and `tmp`. The
disk is the truth; this class only remembers which shepherds it talks to. No images are pulled, and nothing is
isolated but the session, the environment and, where there are volumes, the file system view.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fairway.cluster.node import images, requirements, volumes, warm
from fairway.cluster.node.environments import OWN, Environment, Environments, installs, scratch
from fairway.cluster.node.installing import INSTALL_VARIABLES
from fairway.cluster.node.pacing import Pace
from fairway.cluster.node.rewriting import NOTE, rewritten
from fairway.cluster.node.runtime import (
    POD_IP,
    CannotStart,
    ContainerId,
    ContainerSpec,
    ContainerState,
    Ended,
    ExecResult,
)
from fairway.cluster.node.shepherd import records
from fairway.cluster.node.shepherds import Flock, Link, Message, Refused, ShepherdGone, source_root

log = logging.getLogger(__name__)

_PASSED = ("TZ", *INSTALL_VARIABLES)
"""What a container sees of the server's own variables: the time zone, and what a `pip install` needs. No others:
they may hold secrets, and a pod must not depend on the shell that the server was started from."""
_LOST = "the process that watched over this container died, and the container with it; how it ended is not known"
_HOME, _TEMPORARY = "home", "tmp"
_ATTEMPTS = 3
_KILLED_WITHIN = 10.0
"""Seconds; only a process that hangs in the kernel takes longer than milliseconds."""


class ProcessRuntime:
    handler = "process"

    def __init__(self, folder: Path, *, preload: Path | None = None) -> None:
        self._pods = folder / "pods"
        self._environments = Environments(folder / "environments")
        self._flock = Flock(folder / "shepherds", self._note_end, self._note_loss)
        self._pace = Pace()
        self._shells = images.shells(folder / "shells")
        self._preload = preload
        self._ended: Ended = lambda state: None
        self._found: set[str] = set()
        """Pods of which a container may be on disk: those found at the start, and those started since."""
        self._awaited: dict[ContainerId, asyncio.Future[None]] = {}
        self._own = {name: os.environ[name] for name in _PASSED if name in os.environ}

    async def open(self, ended: Ended) -> None:
        self._pods.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ended = ended
        self._found = self.pods()
        await self._flock.find()

    def awaits(self, spec: ContainerSpec) -> str:
        wanted = spec.requirements if images.find(spec.image).python else ()
        return f"building an environment with {requirements.told(wanted)}" if self._environments.missing(wanted) else ""

    async def start(self, spec: ContainerSpec) -> ContainerState:
        folder = self._container_folder(spec.id)
        if spec.id.pod in self._found and records.read(folder, records.RECORD):
            return self._state(spec.id, folder)
        self._found.add(spec.id.pod)
        image = images.find(spec.image)
        environment = await self._environments.provide(spec.requirements) if image.python else OWN
        command = (*spec.command, *spec.args) if spec.command else (*image.entrypoint, *(spec.args or image.command))
        alone = image.python and (spec.installs or installs(command))
        if alone:
            environment = await scratch(self.folder(spec.id.pod) / f"packages-{spec.id.name}", environment)
        env = self._variables(spec, image, environment)
        request = self._request(spec, folder, command, env)
        form = warm.module_of(command) if image.python and spec.warm in warm.SETS else None
        chosen = ""
        if form and not alone and warm.can_take(spec.env):
            chosen, request["module"], request["args"] = spec.warm, form[0], list(form[1])
            request["call"] = warm.SETS[chosen].calls.get(form[0], "")
        await self._pace.begin(spec.id)
        try:
            started = await _to_its_end(self._ask(request, environment if chosen else OWN, chosen))
        except BaseException:
            self._pace.begun(spec.id)
            raise
        return ContainerState(spec.id, started_at=started["started"], message=started.get("note", ""))

    async def prepare(self, warm_set: str) -> None:
        """Have a warm interpreter ready before the first pod asks for it."""
        await self._link(OWN, warm_set)

    def states(self, pod: str) -> list[ContainerState]:
        found: list[ContainerState] = []
        if pod not in self._found:
            return found
        for folder in (self._pods / pod).glob("*.*"):
            if (folder / records.RECORD).exists():
                found.append(self._state(ContainerId(pod, folder.stem, int(folder.suffix[1:])), str(folder)))
        return sorted(found, key=lambda state: (state.id.name, state.id.attempt))

    def pods(self) -> set[str]:
        return {entry.name for entry in os.scandir(self._pods)}

    def folder(self, pod: str) -> Path:
        return self._pods / pod

    async def signal(self, container: ContainerId, number: int) -> None:
        if link := self._link_of(container):
            with suppress(ShepherdGone):
                await link.ask({"op": "signal", "id": str(container), "signal": number})

    async def exec(self, container: ContainerId, command: Sequence[str], timeout: float) -> ExecResult:
        link = self._link_of(container)
        if link is None or str(container) not in link.running:
            raise CannotStart("NotRunning", f"container {container.name} is not running")
        try:
            answer = await link.ask(
                {"op": "exec", "id": str(container), "argv": list(command), "timeout": timeout},
            )
        except Refused as refusal:
            if str(refusal) == "timeout":
                raise TimeoutError(f"command {command[0]} timed out after {timeout:g} s") from refusal
            raise CannotStart("ExecFailed", str(refusal)) from refusal
        except ShepherdGone as gone:
            raise CannotStart("NotRunning", f"container {container.name} is not running") from gone
        return ExecResult(answer["code"], answer["output"].encode())

    def logs(self, container: ContainerId) -> list[Path]:
        log_file = Path(self._container_folder(container), records.LOG)
        return [path for path in (log_file.with_name("log.1"), log_file) if path.exists()]

    def forget(self, container: ContainerId) -> None:
        shutil.rmtree(self._container_folder(container), ignore_errors=True)

    async def clear(self, pod: str) -> None:
        folder = f"{self._pods}/{pod}/{_TEMPORARY}"
        await _forget_memory(pod)
        if not _is_empty(folder):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def remove(self, pod: str) -> None:
        running = [state.id for state in self.states(pod) if state.running]
        ends = [self._end_of(container) for container in running]
        for container in running:
            await self.signal(container, signal.SIGKILL)
        if ends:
            await asyncio.wait(ends, timeout=_KILLED_WITHIN)
        self._found.discard(pod)
        await _forget_memory(pod)
        folder = self._pods / pod
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def retire(self) -> None:
        """Let the shepherds end now and not when they have been idle for a while."""
        await self._flock.retire()

    async def close(self) -> None:
        await self._environments.close()
        await self._flock.close()

    # What a container is given

    def _variables(self, spec: ContainerSpec, image: images.Image, environment: Environment) -> dict[str, str]:
        folder = f"{self._pods}/{spec.id.pod}"
        path = [str(environment.bin)] if image.python else []
        if image.ash and self._shells:
            path.append(str(self._shells))
        base = {
            "PATH": ":".join((*path, images.SYSTEM_PATH)),
            "HOME": f"{folder}/{_HOME}",
            "TMPDIR": f"{folder}/{_TEMPORARY}",
            "LANG": "C.UTF-8",
            **self._own,
        }
        if image.python:
            base["PYTHONUNBUFFERED"] = "1"
            if "site-packages" not in source_root():
                base["PYTHONPATH"] = source_root()  # a development checkout that is not installed
        if self._preload:
            base["LD_PRELOAD"] = str(self._preload)
        return {**base, **image.env, **spec.env}

    def _request(self, spec: ContainerSpec, folder: str, command: Sequence[str], env: Mapping[str, str]) -> Message:
        if not command:
            raise CannotStart("StartError", f'image "{spec.image}" has no command of its own: set spec.command')
        return {
            "op": "start",
            "id": str(spec.id),
            "folder": folder,
            "make": [f"{self._pods}/{spec.id.pod}/{name}" for name in (_HOME, _TEMPORARY)],
            "address": spec.env.get(POD_IP, ""),
            "argv": list(command),
            "env": dict(env),
            "cwd": spec.working_dir or env["HOME"],
            "memory": spec.memory_bytes,
            "mounts": [[mount.source, mount.target, mount.read_only] for mount in spec.mounts],
        }

    # Shepherds

    async def _ask(self, request: Message, environment: Environment, warm_set: str) -> Message:
        """A shepherd that has just ended itself is replaced; a start that it had already done is not done again."""
        for _ in range(_ATTEMPTS):
            try:
                link = await self._link(environment, warm_set)
                link.running.add(request["id"])
                if link.mounts or not request["mounts"]:
                    return await link.ask(request)
                return {**await link.ask(rewritten(request)), "note": NOTE}
            except ShepherdGone:
                continue
            except Refused as refusal:
                raise CannotStart("StartError", str(refusal)) from refusal
        raise CannotStart("StartError", "the processes that start containers keep dying; see shepherds/*.log")

    async def _link(self, environment: Environment, warm_set: str) -> Link:
        place = environment.digest or "own"
        warm_set = self._nearest_warm(place, warm_set)
        chosen = warm.SETS[warm_set] if warm_set else None
        name = f"{place}-{warm_set or 'plain'}"
        env = {"PATH": f"{environment.bin}:{images.SYSTEM_PATH}", "LANG": "C.UTF-8", **(chosen.env if chosen else {})}
        if self._preload:
            env["LD_PRELOAD"] = str(self._preload)
        return await self._flock.link(name, environment.python, chosen.imports if chosen else (), env)

    def _nearest_warm(self, place: str, warm_set: str) -> str:
        """The set itself, or the larger one that runs already."""
        larger = warm.SETS[warm_set].stand_in if warm_set else ""
        if larger and self._flock.is_ready(f"{place}-{larger}") and not self._flock.is_ready(f"{place}-{warm_set}"):
            return larger
        return warm_set

    def _link_of(self, container: ContainerId) -> Link | None:
        record = records.read(self._container_folder(container), records.RECORD)
        return self._flock.linked(record["shepherd"]) if record else None

    # What became of it

    def _container_folder(self, container: ContainerId) -> str:
        return f"{self._pods}/{container.pod}/{container.name}.{container.attempt}"

    def _state(self, container: ContainerId, folder: str) -> ContainerState:
        record = records.read(folder, records.RECORD) or {}
        state = ContainerState(container, record.get("started", 0.0), address=record.get("address", ""))
        ended = records.read(folder, records.EXIT)
        if ended is None and str(container) not in self._flock.running():
            ended = _bury(folder, record)
        return _with_end(state, ended) if ended else state

    def _end_of(self, container: ContainerId) -> asyncio.Future[None]:
        return self._awaited.setdefault(container, asyncio.get_running_loop().create_future())

    def _note_end(self, message: Message) -> None:
        container = _parse(message["ended"])
        self._pace.begun(container)
        self._tell(_with_end(ContainerState(container, started_at=message["started"]), message))

    def _note_loss(self, ids: set[str]) -> None:
        for container in map(_parse, sorted(ids)):
            folder = self._container_folder(container)
            if records.read(folder, records.RECORD):
                self._tell(self._state(container, folder))

    def _tell(self, state: ContainerState) -> None:
        awaited = self._awaited.pop(state.id, None)
        if awaited and not awaited.done():
            awaited.set_result(None)
        self._ended(state)


async def _forget_memory(pod: str) -> None:
    """Volumes in memory go as soon as the pod is over."""
    place = volumes.in_memory(pod)
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


def _with_end(state: ContainerState, ended: Mapping[str, Any]) -> ContainerState:
    return replace(
        state,
        finished_at=ended["finished"],
        exit_code=ended["code"],
        signal=ended.get("signal") or 0,
        reason=ended["reason"],
        message=ended.get("message") or "",
    )


def _bury(folder: str, record: Message) -> Message:
    """The end of a container whose shepherd is gone. What is left of it is killed, so that it cannot run twice."""
    pid = int(record.get("pid") or 0)
    if pid:
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
