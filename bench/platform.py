"""A platform for one benchmark: `fairway up --detach` on a free port and a folder of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairway.cli import connection


@dataclass(frozen=True)
class Platform:
    server: connection.Server
    folder: Path
    started_in: float
    """Seconds from the command to its return, at which everything is ready."""


@contextmanager
def platform(folder: Path) -> Iterator[Platform]:
    command = [sys.executable, "-m", "fairway"]
    # As an installed product is: its bytecode is there from the start before.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", "import fairway.cli.foreground"], check=True)
    begin = time.perf_counter()
    up = [*command, "up", "--detach", "--quiet", "--data-dir", str(folder), "--port", str(free_port())]
    subprocess.run(up, check=True)
    seconds = time.perf_counter() - begin
    try:
        server = connection.find(folder)
        assert server is not None
        yield Platform(server, folder, seconds)
    finally:
        subprocess.run([*command, "stop", "--data-dir", str(folder)], check=True, stdout=subprocess.DEVNULL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def family(pid: int) -> list[int]:
    """A process and all its descendants, and those whose folder it serves (fork servers outlive it on purpose)."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting += children.get(current, [])
    return found


def proportional_memory(pids: list[int]) -> int:
    """Bytes of PSS."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def processes(*words: str) -> list[int]:
    """Those with all these words in their command lines."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if all(word in line for word in words):
                found.append(int(entry))
    return found


def peak_memory(pid: int) -> int:
    """The most bytes that the process has ever had in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def cpu_seconds(pids: list[int], *, children: bool = False) -> float:
    """Of the processes, or of their children that have ended."""
    first = 13 if children else 11
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[first]) + int(fields[first + 1])
    return ticks / os.sysconf("SC_CLK_TCK")
