"""What a client asks for: which pod, container and streams; and the talk that the node agent opens for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairway.cluster.api import reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.cluster.api.pods import logs
from fairway.cluster.api.pods.podexec import Talk
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

ATTACH = "attach"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`command` is None where the container itself is meant."""

    pod: Object
    container: str
    command: Sequence[str] | None
    terminal: bool
    input: bool
    output: bool = True
    errors: bool = True

    @property
    def streams(self) -> frozenset[str]:
        """The streams that a client opens which gives each a name."""
        asked = {"stdin": self.input, "stdout": self.output, "stderr": self.errors and not self.terminal}
        return frozenset({"error", *(name for name, wanted in asked.items() if wanted), *["resize"] * self.terminal})


def wanted(backend: Backend, call: Call, command: Sequence[str]) -> Wanted:
    """Raises ApiError where the request cannot be meant, or the container does not run."""
    pod = reading.found(backend.store, call).object
    attaching = call.subresource == ATTACH
    if not command and not attaching:
        raise errors.BadRequest("you must specify at least one command for the container")
    container = logs.container_of(pod, call.query.get("container", ""))
    terminal, input_ = call.flag("tty"), call.flag("stdin")
    output, stderr = call.flag("stdout"), call.flag("stderr")
    if not (input_ or output or stderr):
        raise errors.BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    return Wanted(pod, container, None if attaching else command, terminal, input_, output, stderr)


async def opened(backend: Backend, asked: Wanted) -> Talk:
    """Raises ApiError as long as the connection is still HTTP."""
    if backend.executions is None:
        raise errors.Unavailable("nobody runs commands in pods on this server: it runs without a node agent")
    if asked.command is None:
        return await backend.executions.attach(asked.pod, asked.container, input=asked.input)
    return await backend.executions.open(asked.pod, asked.container, asked.command, terminal=asked.terminal)
