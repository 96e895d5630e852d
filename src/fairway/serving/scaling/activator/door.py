"""A listening port that stands for one port of one Service: who comes here wants that service and no other.

It lets in whom `peers` welcomes, and hands each connection to the protocol of the door.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from fairway.serving.scaling.activator import peers

log = logging.getLogger(__name__)

Factory = Callable[[], asyncio.BaseProtocol]
_BACKLOG = 1024


class Door:
    def __init__(self, host: str, factory: Factory) -> None:
        """Raises OSError where it cannot listen."""
        self._factory = factory
        self._socket = socket.create_server((host, 0), backlog=_BACKLOG)
        self._socket.setblocking(False)
        self._task = asyncio.get_running_loop().create_task(self._welcome(), name=f"activator-door-{self.port}")

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def close(self) -> None:
        """Nobody comes in any more; who is inside stays until its own end."""
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._socket.close()

    async def _welcome(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError as failure:  # out of file descriptors: who waits goes on waiting
                log.warning("the activator cannot take connections: %s", failure)
                await asyncio.sleep(0.1)
                continue
            try:
                if peers.welcome(connection):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    await loop.connect_accepted_socket(self._factory, connection)
                else:
                    connection.close()
            except OSError:  # it has gone already
                connection.close()
