"""What the API needs of whoever talks with containers and runs commands beside them: the node agent. The API only
checks and forwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fairway.kernel.objects.kinds import Object


class Talk(Protocol):
    """A command that runs in a container, and somebody who talks with it."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next of what it says: 1 and output, or 2 and what goes to standard error; None when it has ended."""
        ...

    async def write(self, data: bytes) -> None: ...

    def end_input(self) -> None: ...

    def resize(self, width: int, height: int) -> None: ...

    async def result(self) -> int:
        """Its exit code. Raises where it could not be run."""
        ...

    async def close(self) -> None: ...


class PodExec(Protocol):
    async def open(self, pod: Object, container: str, command: Sequence[str], *, terminal: bool) -> Talk:
        """Raises ApiError where there is nothing to talk with."""
        ...

    async def attach(self, pod: Object, container: str, *, input: bool) -> Talk:
        """Talk with the container itself. Raises ApiError where it does not run."""
        ...
