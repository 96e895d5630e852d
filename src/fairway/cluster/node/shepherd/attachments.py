"""Whoever is attached to a container: hears a copy of what it says, and may write to its input.

    three named pipes of the agent's -> Attachment -> the container's input
                                     <-            <- the container's output, which also goes to its log

Nothing here waits. Who reads too slowly is cut off, so that no container stands still for it: the log has everything.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from contextlib import suppress
from typing import Any

from fairway.cluster.node.shepherd.links import Link

_CHUNK = 64 * 1024
_AHEAD = 1 << 20
"""Bytes that a reader may be behind."""
TOO_SLOW = "what the container says is not read fast enough: attach again, or follow its log"


class Attachment:
    """`source` and `to` are -1 once there is no more input."""

    def __init__(self, link: Link, seq: int, name: str, paths: list[str], to: int) -> None:
        """Raises OSError. `to` is the container's input, or -1."""
        self.link, self.seq, self.name = link, seq, name
        self.unsent = b""
        # The agent holds the other ends already.
        self.source = os.open(paths[0], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.to = -1 if to < 0 else os.dup(to)
        self._ends: dict[str, int] = {}
        for stream, path in (("stdout", paths[1]), ("stderr", paths[2])):
            self._ends[stream] = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with suppress(OSError):
                fcntl.fcntl(self._ends[stream], fcntl.F_SETPIPE_SZ, _AHEAD)

    def say(self, stream: str, data: bytes) -> bool:
        """False where it does not read, or has gone."""
        try:
            return os.write(self._ends[stream], data) == len(data)
        except OSError:
            return False

    def take(self) -> bool | None:
        """Read a piece of input. None where there is none yet, False at its end."""
        try:
            data = os.read(self.source, _CHUNK)
        except BlockingIOError:
            return None
        self.unsent += data
        return bool(data)

    def feed(self) -> bool:
        """Give the container what it takes of that; False where it takes no more at all."""
        try:
            if self.unsent:
                self.unsent = self.unsent[os.write(self.to, self.unsent) :]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def end_input(self) -> None:
        for end in (self.source, self.to):
            if end >= 0:
                os.close(end)
        self.source = self.to = -1

    def close(self) -> None:
        self.end_input()
        for end in self._ends.values():
            os.close(end)
        self._ends = {}

    def answer(self, error: str = "") -> dict[str, Any]:
        """What its agent is told at the end. A container's own exit code is not what an attached client is for."""
        return {"seq": self.seq, "error": error} if error else {"seq": self.seq, "ok": {"code": 0, "output": ""}}


class Unheard:
    """What a container said before anybody was attached: the last of it."""

    def __init__(self) -> None:
        self.pieces: deque[tuple[str, bytes]] = deque()
        self._size = 0

    def keep(self, stream: str, data: bytes) -> None:
        self.pieces.append((stream, data))
        self._size += len(data)
        while self._size > _CHUNK:
            self._size -= len(self.pieces.popleft()[1])
