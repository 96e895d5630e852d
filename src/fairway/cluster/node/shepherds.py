"""The agent's side of the shepherds: start one when it is needed, talk to it, notice that it has gone.

A `Flock` keeps one link for each shepherd by name. It survives shepherds that end (they end themselves when they
have nothing to do): the next request starts another.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import fairway

log = logging.getLogger(__name__)

Message = dict[str, Any]
_LONGEST_SOCKET_PATH = 100
"""Of a unix socket, by the kernel's own limit of 108 bytes."""
_LARGEST_MESSAGE = 16 * 1024 * 1024


_ANSWERS_WITHIN = 10.0


class ShepherdGone(Exception):
    """It ended before it answered. What it was asked may have been done: ask again, it is safe."""


class Refused(Exception):
    """The shepherd could not do what it was asked; the text says why."""


class Link:
    """A conversation with one shepherd. `running` are the ids of its containers."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.running: set[str] = set()
        self.mounts = False
        self._reader, self._writer = reader, writer
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._seq = 0
        self.gone = False

    async def ask(self, message: Message) -> Message:
        if self.gone:
            raise ShepherdGone(self.name)
        self._seq += 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[self._seq] = answer
        self._writer.write(json.dumps({"seq": self._seq, **message}).encode() + b"\n")
        return await answer

    def tell(self, message: Message) -> None:
        """What needs no answer."""
        if not self.gone:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def listen(self, ended: Callable[[Message], None]) -> None:
        """Until the shepherd goes away."""
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line), ended)
        except (OSError, ValueError) as problem:
            log.warning("shepherd %s: %s", self.name, problem)
        finally:
            self.gone = True
            self._writer.close()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ShepherdGone(self.name))

    def _take(self, message: Message, ended: Callable[[Message], None]) -> None:
        if "hello" in message:
            self.mounts = message["mounts"]
        elif "ended" in message:
            self.running.discard(message["ended"])
            ended(message)
        elif (answer := self._answers.pop(message["seq"], None)) and not answer.done():
            if "error" in message:
                answer.set_exception(Refused(message["error"]))
            else:
                answer.set_result(message["ok"])


class Flock:
    """`ended` hears of every container's end; `lost` gets the ids of those whose shepherd died."""

    def __init__(self, folder: Path, ended: Callable[[Message], None], lost: Callable[[set[str]], None]) -> None:
        self._folder, self._ended, self._lost = folder, ended, lost
        self._stamp = _code_stamp()
        self._links: dict[str, Link] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self) -> None:
        """Link up with every shepherd that is still there; those of older code end with their last container."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for socket in self._folder.glob("*.sock"):
            try:
                link = await self._connect(socket.stem)
                if not link.name.endswith(self._stamp):
                    await link.ask({"op": "retire"})
            except ConnectionRefusedError:
                socket.unlink(missing_ok=True)
            except (OSError, ShepherdGone) as problem:
                log.warning("shepherd %s does not answer: %s", socket.stem, problem)

    def linked(self, name: str) -> Link | None:
        link = self._links.get(name)
        return None if link is None or link.gone else link

    def is_ready(self, name: str) -> bool:
        """Whether `link` would find that shepherd without starting it."""
        return self.linked(f"{name}-{self._stamp}") is not None

    def running(self) -> set[str]:
        return set().union(*(link.running for link in self._links.values() if not link.gone))

    async def link(self, name: str, python: str, imports: Sequence[str], env: Mapping[str, str]) -> Link:
        """The shepherd of that name, started where it is not there. Raises Refused where it cannot be.

        One that was started from other code than ours is not used again: it would fork yesterday's modules.
        """
        name = f"{name}-{self._stamp}"
        if found := self.linked(name):
            return found
        async with self._opening.setdefault(name, asyncio.Lock()):
            if found := self.linked(name):
                return found
            try:
                return await self._connect(name)
            except OSError:
                await self._start(name, python, imports, env)
            return await self._connect(name)

    async def retire(self) -> None:
        for link in self._links.values():
            with suppress(ShepherdGone):
                await link.ask({"op": "retire"})

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, name: str) -> Link:
        path = str(self._folder / f"{name}.sock")
        if len(path) <= _LONGEST_SOCKET_PATH:
            reader, writer = await asyncio.open_unix_connection(path, limit=_LARGEST_MESSAGE)
        else:
            # Linux gives every open folder a short name of its own.
            descriptor = os.open(self._folder, os.O_RDONLY)
            try:
                short = f"/proc/self/fd/{descriptor}/{name}.sock"
                reader, writer = await asyncio.open_unix_connection(short, limit=_LARGEST_MESSAGE)
            finally:
                os.close(descriptor)
        link = Link(name, reader, writer)
        task = asyncio.create_task(self._follow(link), name=f"shepherd-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                link.running |= set((await link.ask({"op": "list"}))["running"])
        except ShepherdGone as gone:
            raise ConnectionError(str(gone)) from gone
        self._links[name] = link
        return link

    async def _follow(self, link: Link) -> None:
        await link.listen(self._ended)
        if link.running:
            log.warning("shepherd %s died with %d containers", link.name, len(link.running))
            self._lost(link.running)

    async def _start(self, name: str, python: str, imports: Sequence[str], env: Mapping[str, str]) -> None:
        command = [python, "-P", "-m", "fairway.cluster.node.shepherd", "--name", name, "--folder", str(self._folder)]
        process = await asyncio.create_subprocess_exec(
            *command,
            "--imports",
            ",".join(imports),
            env={**env, "PYTHONPATH": source_root()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise Refused(f"the interpreter {python} cannot start containers: {last}")


def _code_stamp() -> str:
    """Changes whenever a file of Fairway does."""
    files = sorted(_programs(str(Path(fairway.__file__).parent)))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:8]


def _programs(folder: str) -> Iterator[tuple[str, int]]:
    """Those below a folder, with when they changed. By the system's own entries: every start looks at all of them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry.path, entry.stat().st_mtime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _programs(entry.path)


@functools.cache
def source_root() -> str:
    """The folder that holds the package `fairway`, for interpreters that would not find it by themselves."""
    return str(Path(fairway.__file__).parent.parent)
