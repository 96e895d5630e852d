"""A free port for whatever must be told its port before it can have it.

Ports that the kernel gives to connections are left out: one of those may be taken between the choice and the bind, the
more easily the slower the machine is.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_PORTS = range(12_000, 30_000)


def free_port() -> int:
    chance = random.SystemRandom()  # a seeded one gives the tests that run beside each other the same port
    while True:
        port = chance.choice(_PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
