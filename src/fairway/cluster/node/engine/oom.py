"""Whether the kernel killed something in a container for its memory, where the engine does not say so.

With control groups of version 2 every engine tells it. With version 1 an event must be asked for while the container
runs; what engines make of it there is not to be relied on, so it is asked for here as well. Standard library only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_V1 = "/sys/fs/cgroup/memory"
_LOOK_AGAIN = 0.03
_GIVE_UP = 10.0


class Watch:
    """Counts events of a control group: one for each time that its memory was at an end, and one for its own end."""

    def __init__(self, group: str) -> None:
        self._events = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        control = os.open(f"{group}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with open(f"{group}/cgroup.event_control", "w") as file:
                file.write(f"{self._events} {control}")
        finally:
            os.close(control)

    def killed(self) -> bool:
        """To be asked once the group has gone."""
        with suppress(BlockingIOError):
            return os.eventfd_read(self._events) > 1
        return False


def watch(state: Callable[[], dict[str, Any] | None], ended: Callable[[], int | None]) -> Watch | None:
    """As soon as the container runs. None where that is not needed, or where it has ended before."""
    if not os.path.isdir(_V1):
        return None
    deadline = time.monotonic() + _GIVE_UP
    while ended() is None and time.monotonic() < deadline:
        pid = int((state() or {}).get("Pid") or 0)
        if pid:
            with suppress(OSError):
                return Watch(_V1 + _group(pid))
            return None
        time.sleep(_LOOK_AGAIN)
    return None


def _group(pid: int) -> str:
    with open(f"/proc/{pid}/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if "memory" in controllers.split(","):
                return path
    raise FileNotFoundError(pid)
