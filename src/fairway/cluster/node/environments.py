"""Environments by content address: one virtual environment for each set of requirements, built once.

Nothing is built where Fairway's own environment satisfies the requirements, which is then used as it is: that is
what makes steps start in milliseconds, and work offline. A built one sees the packages of Fairway's own under
its own. A program that installs packages by itself gets an environment that it shares with nobody.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway.cluster.node import installing, requirements

INSTALLS = "fairway.dev/installs"
"""The annotation of a pod whose programs install packages by themselves, though its commands do not show it."""

_AT_ONCE = 4
"""Most builds side by side: they wait for a network more than for a processor."""


@dataclass(frozen=True)
class Environment:
    """`digest` is empty for Fairway's own."""

    digest: str
    python: str

    @property
    def bin(self) -> str:
        return os.path.dirname(self.python)


OWN = Environment("", sys.executable)


class Environments:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._building: dict[str, asyncio.Task[Environment]] = {}
        self._known: dict[tuple[str, ...], Environment] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def missing(self, wanted: tuple[str, ...]) -> bool:
        """Whether `provide` would have to build it, or to wait for who does."""
        return not (self._there(wanted) or (self._folder / address(wanted) / "complete").exists())

    async def provide(self, wanted: tuple[str, ...]) -> Environment:
        """The environment that has them. Raises CannotStart with the installer's own words."""
        known = self._there(wanted)
        if known is None:
            known = self._known[wanted] = await self._build(wanted)
        return known

    async def close(self) -> None:
        for task in self._building.values():
            task.cancel()
        await asyncio.gather(*self._building.values(), return_exceptions=True)

    def _there(self, wanted: tuple[str, ...]) -> Environment | None:
        if not wanted:
            return OWN
        if wanted not in self._known and requirements.satisfied(wanted):
            self._known[wanted] = OWN
        return self._known.get(wanted)

    async def _build(self, wanted: tuple[str, ...]) -> Environment:
        """Several pods that want the same one wait for one build."""
        digest = address(wanted)
        task = self._building.get(digest)
        if task is None:
            task = asyncio.create_task(self._install(self._folder / digest, wanted), name=f"environment-{digest}")
            self._building[digest] = task
            task.add_done_callback(lambda _: self._building.pop(digest, None))
        return await asyncio.shield(task)

    async def _install(self, folder: Path, wanted: Sequence[str]) -> Environment:
        folder.parent.mkdir(parents=True, exist_ok=True)
        built = _in(folder)
        lock = os.open(folder.parent / f"{folder.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Another server may build the same one, or an installer whose server was killed may still be at work; it is
            # only whole once `complete` is there.
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            if (folder / "complete").exists():
                return built
            async with self._slots:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                await installing.create(folder)
                await installing.install(built.python, wanted, lock)
            (folder / "complete").touch()
        finally:
            os.close(lock)
        return built


def installs(command: Sequence[str]) -> bool:
    """Whether a command installs packages by itself, as far as one can read."""
    return any("pip install" in text or text == "pip" or "uv pip" in text for text in command)


async def scratch(folder: Path, below: Environment) -> Environment:
    """An environment of one pod's own on top of another: what the pod installs changes that one alone."""
    own = _in(folder)
    if not (folder / "complete").exists():
        await installing.create(folder, [installing.packages_of(Path(below.bin).parent)] if below.digest else ())
        await installing.add_pip(folder, own.python)
        (folder / "complete").touch()
    return own


def address(wanted: Sequence[str]) -> str:
    """The name of an environment: the same for the same requirements on the same interpreter."""
    content = json.dumps([sorted(wanted), sys.version, sys.prefix])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _in(folder: Path) -> Environment:
    return Environment(folder.name, str(folder / "bin" / "python3"))
