"""What a shepherd holds of each process it started, and what it says of its end."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from fairway.cluster.node.shepherd import child, memory, records
from fairway.cluster.node.shepherd.attachments import Attachment, Unheard
from fairway.cluster.node.shepherd.links import Link
from fairway.cluster.node.shepherd.logfile import LogFile
from fairway.cluster.node.shepherd.streams import Streams

_LONGEST_REASON = 4096


class Container:
    def __init__(
        self,
        request: dict[str, Any],
        pid: int,
        started: float,
        fault: int,
        limit: memory.Limit | None,
        streams: Streams,
    ) -> None:
        self.id: str = request["id"]
        self.folder: str = request["folder"]
        self.request, self.pid, self.started, self.fault, self.limit = request, pid, started, fault, limit
        self.log = LogFile(f"{self.folder}/{records.LOG}")
        self.pipes, self.input, self.terminal = streams.pipes, streams.input, streams.terminal
        self.attachments: list[Attachment] = []
        self.unheard: Unheard | None = Unheard() if request.get("once") else None
        """Whoever attaches first is who it is for: `kubectl run -it` comes when it has said something already."""
        if limit:
            limit.add(pid)

    def end_input(self) -> None:
        if self.input >= 0:
            if self.terminal >= 0:
                with suppress(OSError):
                    os.write(self.input, b"\x04")
            os.close(self.input)
            self.input = -1


class Execution:
    """A command beside a container's processes, for a probe or `kubectl exec`."""

    def __init__(self, link: Link, seq: int, container: str, pid: int, pipe: int, deadline: float) -> None:
        self.link, self.seq, self.container = link, seq, container
        self.pid, self.pipe, self.deadline = pid, pipe, deadline
        self.output = bytearray()
        self.late = False


def verdict(container: Container, status: int) -> dict[str, Any]:
    """What Kubernetes says of such an end."""
    code, number = decode(status)
    os.set_blocking(container.fault, False)
    with suppress(BlockingIOError):
        if why := os.read(container.fault, _LONGEST_REASON):
            return {"code": child.CANNOT_START, "reason": "StartError", "message": why.decode(errors="replace")}
    if container.request.get("tells") and (told := records.read(container.folder, records.TOLD)):
        return told
    if container.limit and container.limit.close():
        return {"code": 137, "signal": number, "reason": "OOMKilled"}
    return {"code": code, "signal": number, "reason": "Error" if code else "Completed"}


def decode(status: int) -> tuple[int, int]:
    """(exit code, signal): the code of a container that a signal ended is 128 + signal."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status), os.WTERMSIG(status)
    return os.WEXITSTATUS(status), 0
