"""The product as a process: `fairway` started as a user starts it, on a free port and in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fairway.cli import connection
from tests.ports import free_port

FAIRWAY = [sys.executable, "-m", "fairway"]


@dataclass
class Installation:
    """One data directory and port, on which the command can be called."""

    folder: Path
    port: int

    def fairway(self, *words: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "FAIRWAY_DATA_DIR": str(self.folder), "HOME": str(self.folder.parent)}
        environment.setdefault("FAIRWAY_CONTAINER_ENGINE", "none")  # what is installed here must not change the answers
        result = subprocess.run(
            [*FAIRWAY, *words], env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or result.returncode == 0, f"fairway {' '.join(words)}: {result.stdout}{result.stderr}"
        return result

    def up(self) -> connection.Server:
        self.fairway("up", "--detach", "--quiet", "--port", str(self.port))
        return self.server

    def stop(self) -> None:
        self.fairway("stop")

    def kill(self) -> None:
        """As a machine without power would: nothing of the server's own runs after this."""
        server = self.server
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not server.alive())

    @property
    def server(self) -> connection.Server:
        server = connection.find(self.folder)
        assert server is not None
        return server

    def status(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.fairway("status", "--json", check=False).stdout)
        return report


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A fresh installation; what a test started there is stopped."""
    one = Installation(tmp_path / "data", free_port())
    yield one
    one.fairway("stop", check=False)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One running platform that tests share, where they do not disturb each other."""
    one = Installation(tmp_path_factory.mktemp("platform") / "data", free_port())
    one.up()
    yield one
    one.fairway("stop", check=False)


def eventually(check: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def processes_of(folder: Path) -> dict[int, str]:
    """The command lines, by pid, of all processes that work for a data directory."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                place = os.fsencode((entry / "cwd").readlink())
                if os.fsencode(folder) in command + (entry / "environ").read_bytes() + place:
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found
