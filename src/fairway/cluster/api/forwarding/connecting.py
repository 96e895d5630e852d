"""The way to a port of a pod: a connection to the pod's own address, on which it listens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fairway.cluster.api import reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.kernel.objects import errors

CHUNK = 64 * 1024
_WITHIN = 10.0


class NoConnection(Exception):
    """Nobody listens there; the text is for the person at the other end."""


@dataclass(frozen=True, slots=True)
class Target:
    """A pod that runs: its name for messages, and its address."""

    pod: str
    address: str

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises NoConnection."""
        try:
            async with asyncio.timeout(_WITHIN):
                return await asyncio.open_connection(self.address, port)
        except (OSError, TimeoutError) as failure:
            why = getattr(failure, "strerror", None) or str(failure) or "no answer"
            text = f"an error occurred forwarding to port {port} of pod {self.pod} at {self.address}: {why}"
            raise NoConnection(text) from failure


def target(backend: Backend, call: Call) -> Target:
    """Raises ApiError where the pod is not there or does not run."""
    pod = reading.found(backend.store, call).object
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or not status.get("podIP"):
        raise errors.BadRequest(
            f"unable to forward port because pod is not running. Current status={status.get('phase')}"
        )
    return Target(call.name, str(status["podIP"]))
