"""One connection of an agent: JSON lines in both directions, never waiting."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

_MOST_AT_ONCE = 1 << 16


class Link:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.unsent = bytearray()
        self._received = bytearray()

    def send(self, message: dict[str, Any] | None) -> None:
        """Send what can be sent now; the rest stays in `unsent`. Without a message, send more of that."""
        if message:
            self.unsent += json.dumps(message).encode() + b"\n"
        with suppress(BlockingIOError):
            del self.unsent[: self.connection.send(self.unsent)]

    def receive(self) -> list[dict[str, Any]]:
        """The whole messages that have arrived. Raises ConnectionResetError when the agent has gone."""
        data = self.connection.recv(_MOST_AT_ONCE)
        if not data:
            raise ConnectionResetError
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        return [json.loads(line) for line in lines]
