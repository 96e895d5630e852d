"""What the API needs of whoever keeps the pods' logs: the node agent. The API only checks and forwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True, slots=True)
class LogOptions:
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    """The moment from which on; what was written before is left out."""
    limit_bytes: int | None = None
    stream: str = ""
    """stdout or stderr; empty for both."""


class PodLogs(Protocol):
    def read(self, pod: Object, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """The log of one container of the pod, in pieces of any size. Raises ApiError where there is none."""
        ...
