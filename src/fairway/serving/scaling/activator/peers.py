"""Who has connected: a port on loopback is open to every user of the machine, and ours takes only the same user.

Requests come here through the gateway, which has checked their tokens, and from pods. Others could pass by both. The
kernel's table says whose the other end of a connection is; from other machines nothing comes to loopback.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

_TABLES = Path("/proc/net")


def welcome(connection: socket.socket) -> bool:
    """Whether the other end is this user's or root's. A socket that its owner has closed is nobody's."""
    if connection.family != socket.AF_INET:
        return False
    peer, ours = connection.getpeername(), connection.getsockname()
    if not peer[0].startswith("127."):
        return True
    owner = owner_of(peer, ours)
    return owner is not None and owner in (0, os.geteuid())


def owner_of(local: tuple[str, int], remote: tuple[str, int], tables: Path = _TABLES) -> int | None:
    """The user whose socket is bound to `local` and connected to `remote`."""
    # A socket of IPv6 that speaks to an IPv4 address is in the other table, with the address mapped.
    for table, prefix in (("tcp", ""), ("tcp6", "0000000000000000FFFF0000")):
        wanted = [prefix + _spelled(local), prefix + _spelled(remote)]
        try:
            lines = (tables / table).read_text().splitlines()
        except OSError:
            continue
        for line in lines[1:]:
            fields = line.split()
            if fields[1:3] == wanted and fields[9] != "0":
                return int(fields[7])
    return None


def _spelled(end: tuple[str, int]) -> str:
    """As the kernel's tables have it: each word of four bytes from the last byte to the first."""
    address, port = end
    return f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"
