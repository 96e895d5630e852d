"""Containers of an engine: the other way to run one, under the same record, log and end as a process.

    spec -> engine, image -> `create` -> a shepherd forks its attendant, which starts it

A container is created before it is on record and started after that, so that one which runs is one that is known. Its
name is made from its id: what is left of a start that was broken off is removed by the next one, or when the node
begins.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import signal
import sys
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairway.cluster.node import images as catalogue
from fairway.cluster.node.attended import Attended
from fairway.cluster.node.engine import client, options
from fairway.cluster.node.engine.client import LABEL, Engine, EngineFailed
from fairway.cluster.node.engine.finding import Finder
from fairway.cluster.node.engine.images import Image, Images
from fairway.cluster.node.runtime import (
    POD_IP,
    CannotStart,
    ContainerId,
    ContainerSpec,
    ContainerState,
    ExecResult,
    Mount,
    Talk,
    Waiting,
)
from fairway.cluster.node.shepherds import Link, Message

log = logging.getLogger(__name__)

_ATTENDANT = "fairway.cluster.node.engine.attendant"
_SHEPHERD = "engine"
_PASSED = (
    # Of the server's own variables: the time, and where packages come from as far as no files of this machine say it.
    "TZ", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_NO_INDEX",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_CREATING = "ContainerCreating"
_MOST_EXEC_OUTPUT = 64 * 1024
_MARK = "FAIRWAY_EXEC"
"""The variable by which a command beside a container is found again."""
_UP_WITHIN = 5.0
_LOOK_AGAIN = 0.1


class Containers:
    def __init__(self, folder: Path, attended: Attended, finder: Finder, preload: Path | None) -> None:
        self._folder = folder / "engine"
        self._attended, self._finder, self._preload = attended, finder, preload
        self._images = Images()
        self._node = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
        self._seen_up: set[ContainerId] = set()
        self._swept = False
        self._creating: set[str] = set()
        """Until it is swept, the names of containers that were not left behind: they are being started now."""
        self._tasks: set[asyncio.Task[None]] = set()
        attended.lost = self._lost

    def open(self) -> None:
        self._finder.look()
        if self._finder.wanted:
            self._spawn(self._sweep(), "container-sweep")

    async def awaits(self, spec: ContainerSpec) -> Waiting | None:
        if not self._finder.looked:
            return _CREATING, "looking for a container engine that works here"
        engine = await self._engine(spec)
        if await self._images.pulls(engine, spec):
            return _CREATING, f'pulling image "{spec.image}" with {engine.name}'
        return None

    async def start(self, spec: ContainerSpec) -> ContainerState:
        engine = await self._engine(spec)
        try:
            image = await self._images.provide(engine, spec)
            options.check(spec, image.user)
            if not (spec.command or spec.args or image.has_command):
                raise CannotStart("StartError", f'image "{spec.image}" has no command of its own: set spec.command')
            await self._create(engine, spec, image)
        except EngineFailed as failed:
            raise CannotStart("CreateContainerError", str(failed)) from failed
        try:
            return await self._attended.begin(
                spec.id, self._request(engine, spec, image), self._shepherd, lambda request: (request, "")
            )
        except CannotStart:
            with suppress(EngineFailed):
                await engine.remove(self._name(spec.id))
            raise

    async def signal(self, container: ContainerId, number: int) -> None:
        """A container that has not quite started yet is waited for; SIGKILL ends it then in any case."""
        deadline = asyncio.get_running_loop().time() + _UP_WITHIN
        while (engine := self._engine_of(container)) and self._attended.runs(container):
            try:
                await engine.call("kill", "--signal", signal.Signals(number).name, self._name(container))
                return
            except EngineFailed as failed:
                log.debug("container %s: %s", container, failed)
            if asyncio.get_running_loop().time() > deadline:
                if number == signal.SIGKILL:
                    await engine.remove(self._name(container))
                return
            await asyncio.sleep(_LOOK_AGAIN)

    async def exec(self, container: ContainerId, command: Sequence[str], timeout: float) -> ExecResult:
        engine = self._engine_of(container)
        if engine is None or not self._attended.runs(container):
            raise CannotStart("NotRunning", f"container {container.name} is not running")
        await self._up(engine, container)
        mark = uuid.uuid4().hex
        words = [*engine.command, "exec", "--env", f"{_MARK}={mark}", self._name(container), *command]
        try:
            async with asyncio.timeout(timeout):
                answer = await client.run(words, timeout=timeout + 1)
        except TimeoutError as late:
            await asyncio.to_thread(_kill_marked, mark)
            raise TimeoutError(f"command {command[0]} timed out after {timeout:g} s") from late
        except EngineFailed as failed:
            raise CannotStart("ExecFailed", str(failed)) from failed
        return ExecResult(answer.code, (answer.output + answer.said.encode())[:_MOST_EXEC_OUTPUT])

    async def talk(self, container: ContainerId, command: Sequence[str], *, terminal: bool) -> Talk:
        flags = ["--interactive", *["--tty"] * terminal]
        return await self._through(container, ["exec", *flags, self._name(container), *command], terminal=terminal)

    async def attach(self, container: ContainerId) -> Talk:
        return await self._attended.attach(container)  # its attendant hears and says what it does

    async def _through(self, container: ContainerId, words: list[str], *, terminal: bool) -> Talk:
        """The engine is the command that is talked with: it passes everything on."""
        engine = self._engine_of(container)
        if engine is None or not self._attended.runs(container):
            raise CannotStart("NotRunning", f"container {container.name} is not running")
        await self._up(engine, container)
        return await self._attended.talk(container, [*engine.command, *words], terminal=terminal)

    async def _up(self, engine: Engine, container: ContainerId) -> None:
        """Wait for what is on record and has not quite started yet."""
        deadline = asyncio.get_running_loop().time() + _UP_WITHIN
        while container not in self._seen_up and asyncio.get_running_loop().time() < deadline:
            found = await engine.inspect("container", self._name(container))
            if found and found["State"].get("Pid"):
                self._seen_up.add(container)
                return
            if not self._attended.runs(container):
                return
            await asyncio.sleep(_LOOK_AGAIN)

    async def remove(self, pod: str) -> None:
        """What the engine still has of a pod, and files that only it may delete."""
        self._seen_up = {container for container in self._seen_up if container.pod != pod}
        if not (self._finder.looked and (engine := await self._finder.engine())):
            return
        with suppress(EngineFailed):
            for name in await engine.names(self._node):
                if name.startswith(f"fairway-{self._node}-{pod}-"):
                    await engine.remove(name)
            if engine.name == "podman" and os.geteuid() and self._attended.folder(pod).exists():
                await engine.call("unshare", "rm", "-rf", str(self._attended.folder(pod)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._images.close()
        await self._finder.close()

    # The engine

    async def _engine(self, spec: ContainerSpec) -> Engine:
        engine = await self._finder.engine()
        if engine is None:
            if not catalogue.runs_here(spec.image):
                catalogue.find(spec.image, self._finder.why_not)  # which raises, and says what would help
            raise CannotStart(
                "NoContainerEngine",
                f"the pod is to run as a container, and there is no engine for it: {self._finder.why_not}. Install "
                "podman, and start Fairway again; `fairway status` says what it found",
            )
        return engine

    def _engine_of(self, container: ContainerId) -> Engine | None:
        """The engine that a container was started with, which may be another than today's."""
        record = self._attended.record(container)
        return Engine(record["handler"], "", tuple(record["engine"])) if record and "engine" in record else None

    def _name(self, container: ContainerId) -> str:
        return f"fairway-{self._node}-{container.pod}-{container.name}-{container.attempt}"

    def _lost(self, container: ContainerId) -> None:
        """Its shepherd died. Its attendant removes it, if it still can."""
        if engine := self._engine_of(container):
            self._spawn(engine.remove(self._name(container)), f"remove-{container}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        """Containers of this node that nobody watches over: their start was broken off, or their shepherd died."""
        engine = await self._finder.engine()
        if engine is None:
            return
        try:
            left = await engine.names(self._node)
            known = {self._name_of(each) for each in self._attended.flock.running()} | self._creating
            for name in set(left) - known:
                await engine.remove(name)
        except EngineFailed as failed:
            log.warning("containers that nobody watches over are left: %s", failed)
        self._swept = True

    def _name_of(self, container: str) -> str:
        return f"fairway-{self._node}-{container.replace('/', '-')}"

    # One container

    async def _create(self, engine: Engine, spec: ContainerSpec, image: Image) -> None:
        if not self._swept:
            self._creating.add(self._name(spec.id))
        await engine.remove(self._name(spec.id))
        self._attended.folder(spec.id.pod).mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_notes(spec)
        content, inherited = options.variables(self._variables(spec))
        env_file = self._folder / f"{self._name(spec.id)}.env"
        guard = (Mount(str(self._preload), str(self._preload), read_only=True),) if self._preload else ()
        words = options.create(
            engine,
            spec,
            name=self._name(spec.id),
            labels={LABEL: self._node},
            image=image.id,
            env_file=str(env_file),
            inherited=inherited,
            mounts=options.together(spec, *guard),
        )
        descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(content)
            await engine.call(*words, env=inherited)
        finally:
            env_file.unlink(missing_ok=True)

    def _variables(self, spec: ContainerSpec) -> dict[str, str]:
        env = {name: os.environ[name] for name in _PASSED if name in os.environ} | dict(spec.env)
        if self._preload:
            env["LD_PRELOAD"] = " ".join(filter(None, (str(self._preload), spec.env.get("LD_PRELOAD", ""))))
            env["FAIRWAY_GUARD_USER"] = str(os.geteuid())
        return env

    def _request(self, engine: Engine, spec: ContainerSpec, image: Image) -> Message:
        folder = self._attended.container_folder(spec.id)
        order = {
            "command": engine.command,
            "name": self._name(spec.id),
            "folder": folder,
            "memory": bool(engine.limits and spec.memory_bytes),
            "input": spec.input,
            "terminal": spec.terminal,
        }
        return {
            "op": "start",
            "id": str(spec.id),
            "folder": folder,
            "make": [],
            "address": spec.env.get(POD_IP, ""),
            "argv": ["attendant", self._name(spec.id)],
            "module": _ATTENDANT,
            "call": "run",
            "args": [json.dumps(order)],
            "env": client.environment(os.environ),
            "cwd": "/",
            "memory": 0,
            "mounts": [],
            "tells": True,
            "input": spec.input,
            "once": spec.input_once,
            "terminal": spec.terminal,
            "keep": {"handler": engine.name, "imageID": image.id, "engine": list(engine.command)},
        }

    async def _shepherd(self) -> Link:
        env = client.environment(os.environ)
        return await self._attended.flock.link(_SHEPHERD, sys.executable, (_ATTENDANT,), env)


def _make_notes(spec: ContainerSpec) -> None:
    """The file for its last words is there, and whichever user it runs as may write to it."""
    for mount in spec.own:
        if not mount.read_only:
            Path(mount.source).touch()
            os.chmod(mount.source, 0o666)  # noqa: S103 - it lies in a folder that only we can enter


def _kill_marked(mark: str) -> None:
    """A command that took too long runs on in its container, whatever became of who asked for it."""
    wanted = f"{_MARK}={mark}".encode()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
