"""What workers and the process that looks after them say to each other: small messages over a pair of sockets."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field

_LARGEST = 65536


@dataclass(slots=True)
class Message:
    """`kind`: a worker is `ready`, wants a `change` or has `done` one; it is told to `do` one, and that its own is
    `done`, and to `serve`. `change` is (load or unload, the model's name, its format); `error` a status and a
    sentence."""

    kind: str
    number: int = 0
    change: list[str] = field(default_factory=list)
    error: list[object] | None = None


def pair() -> tuple[socket.socket, socket.socket]:
    """Messages stay whole."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, message: Message) -> None:
    """To one that is dead, nothing is said."""
    try:
        to.send(json.dumps(asdict(message)).encode())
    except OSError:
        return


def receive(at: socket.socket) -> Message | None:
    """None where the other end is gone."""
    try:
        data = at.recv(_LARGEST)
    except OSError:
        return None
    return Message(**json.loads(data)) if data else None
