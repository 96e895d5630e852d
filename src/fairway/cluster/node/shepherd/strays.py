"""Processes that outlive their container: what it started in sessions of their own, and left behind.

The shepherd is made their new parent (a subreaper), so that it can tell them. Soon after a container has ended, those
that are known to be its own end too; the others, once nothing else of this shepherd runs that they could belong to. To
find them is a look at every process of the machine, so one look counts for all containers of the last moment. Linux
only; elsewhere they stay, as they would for anybody.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from fairway.cluster.node.shepherd.running import Container

_PR_SET_CHILD_SUBREAPER = 36
_LATER = 0.3
"""Seconds from a container's end to the look for what it left."""
_MARK = "FAIRWAY_POD_IP"
"""A variable that is another in each pod."""


def adopt() -> None:
    """From now on orphans of our descendants are ours. Before the first container."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Strays:
    """`left` containers have ended since the last look."""

    def __init__(self) -> None:
        self.left: list[Container] = []
        self.look_at = 0.0

    def leave(self, container: Container) -> None:
        if not self.left:
            self.look_at = time.monotonic() + _LATER
        self.left.append(container)

    def end(self, running: Iterable[Container], known: Callable[[int], bool]) -> None:
        """End what they have left behind, if it is time. `known` are processes that the shepherd started itself."""
        if not self.left or time.monotonic() < self.look_at:
            return
        left, self.left = self.left, []
        if not _has_children():
            return
        parents = _parents()
        others, me = list(running), os.getpid()
        for pid in [pid for pid, parent in parents.items() if parent == me and not known(pid)]:
            if not others or (_belongs(pid, left) and not _belongs(pid, others)):
                for each in _family(pid, parents):
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(each, signal.SIGKILL)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _parents() -> dict[int, int]:
    """The parent of each process that is not over."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            words = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
            if len(words) > 1 and words[0] != b"Z":
                found[int(name)] = int(words[1])
    return found


def _family(pid: int, parents: Mapping[int, int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:  # however deep: a program may start one that starts one
        found.append(waiting.pop())
        waiting += children.get(found[-1], ())
    return found


def _belongs(pid: int, containers: Iterable[Container]) -> bool:
    return any(_belongs_to(pid, container) for container in containers)


def _belongs_to(pid: int, container: Container) -> bool:
    """By its session or group, by its pod's mark in its environment, or by the folder that it is in."""
    with suppress(OSError):
        if container.pid in (os.getsid(pid), os.getpgid(pid)):
            return True
    mark = container.request.get("env", {}).get(_MARK)
    if mark and f"{_MARK}={mark}".encode() in _read(f"/proc/{pid}/environ").split(b"\0"):
        return True
    try:
        place, own = os.readlink(f"/proc/{pid}/cwd"), os.path.realpath(container.request["cwd"])
    except (OSError, KeyError):
        return False
    return own != "/" and (place == own or place.startswith(f"{own}/"))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""
