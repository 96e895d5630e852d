"""Memory limits by control group, where this machine lets us make one; elsewhere there is no limit.

A container that grows past its limit is killed by the kernel, and its end says OOMKilled.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress


class Limit:
    """A control group of one container's own."""

    def __init__(self, folder: str, events: str) -> None:
        self._folder, self._events = folder, events

    def add(self, pid: int) -> None:
        _put(f"{self._folder}/cgroup.procs", pid)

    def close(self) -> bool:
        """Whether the kernel killed something in it. The group is gone afterwards."""
        killed = _counter(f"{self._folder}/{self._events}", "oom_kill") > 0
        with suppress(OSError):  # a process that has not quite gone keeps it; it is empty and costs nothing
            os.rmdir(self._folder)
        return killed


def limit(container: str, amount: int) -> Limit | None:
    """A group for `container` with that many bytes; None without an amount, or where groups cannot be made."""
    if not amount:
        return None
    found = _parent()
    if found is None:
        return None
    parent, maximum, events = found
    folder = f"{parent}/fairway-{hashlib.sha256(container.encode()).hexdigest()[:16]}"
    try:
        os.makedirs(folder, exist_ok=True)
        _put(f"{folder}/{maximum}", amount)
    except OSError:
        with suppress(OSError):
            os.rmdir(folder)
        return None
    return Limit(folder, events)


def available() -> bool:
    probe = limit(f"probe-{os.getpid()}", 1 << 30)
    if probe is None:
        return False
    probe.close()
    return True


def _parent() -> tuple[str, str, str] | None:
    """(our own group's folder, the file of the limit, the file that counts kills), version 1 or 2."""
    try:
        with open("/proc/self/cgroup") as file:
            groups = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            return f"/sys/fs/cgroup/memory{path}", "memory.limit_in_bytes", "memory.oom_control"
        if not controllers and os.path.exists(f"/sys/fs/cgroup{path}/memory.max"):
            return f"/sys/fs/cgroup{path}", "memory.max", "memory.events"
    return None


def _put(path: str, value: int) -> None:
    with open(path, "w") as file:
        file.write(str(value))


def _counter(path: str, name: str) -> int:
    with suppress(OSError), open(path) as file:
        for line in file:
            word, _, value = line.partition(" ")
            if word == name:
                return int(value)
    return 0
