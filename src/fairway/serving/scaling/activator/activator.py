"""Keeps the rooms and doors of all services. The autoscaler tells it of pods, and asks it who came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from fairway.kernel.clock import Clock
from fairway.kernel.feature import Ready
from fairway.kernel.objects.meta import Key
from fairway.serving.scaling.activator.door import Door
from fairway.serving.scaling.activator.http1 import Http1
from fairway.serving.scaling.activator.http2 import Http2
from fairway.serving.scaling.activator.meter import Seen
from fairway.serving.scaling.activator.room import Room


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a Service: its name, the port of the pods behind it, and whether HTTP/2 is spoken there."""

    name: str
    target: int
    http2: bool = False


@dataclass
class _Behind:
    door: Door
    protocol: Http1 | Http2


class Activator:
    """`wake` is called with the name of a service whose request finds no pod."""

    def __init__(self, clock: Clock, wake: Callable[[Key], None], *, host: str = "127.0.0.1") -> None:
        self.host = host
        self._clock, self._wake = clock, wake
        self._rooms: dict[Key, Room] = {}
        self._doors: dict[Key, dict[str, _Behind]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def run(self, ready: Ready) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as self._session:
            try:
                ready()
                await asyncio.Event().wait()
            finally:
                for key in list(self._rooms):
                    await self.forget(key)

    def tell(self, key: Key, pods: Iterable[str], *, limit: int, patience: float, broken: str = "") -> None:
        """These pods of the service answer. `limit` is how many requests each takes at once."""
        room = self._room(key)
        room.hall.limit, room.patience = limit, patience
        room.hall.told(pods, broken)

    def open(self, key: Key, ports: Iterable[Port]) -> dict[str, int]:
        """A door for each port; gives their numbers. Raises OSError where there is none to be had."""
        doors = self._doors.setdefault(key, {})
        for port in ports:
            behind = doors.get(port.name)
            if behind is None or isinstance(behind.protocol, Http2) is not port.http2:
                doors[port.name] = behind = self._build(self._room(key), port)
            behind.protocol.target = port.target
        return {name: behind.door.port for name, behind in doors.items()}

    def knows(self, key: Key) -> bool:
        """Whether requests of the service may come here."""
        return key in self._doors

    def look(self, key: Key) -> tuple[Seen, int]:
        """Who was inside since the last look, and how many of them wait now."""
        room = self._room(key)
        return room.meter.look(self._clock.now()), room.hall.waiting

    async def forget(self, key: Key) -> None:
        for behind in self._doors.pop(key, {}).values():
            await behind.door.close()
            if isinstance(behind.protocol, Http2):
                behind.protocol.close()
        self._rooms.pop(key, None)

    def _room(self, key: Key) -> Room:
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = Room("/".join(key), self._clock, lambda: self._wake(key))
        return room

    def _build(self, room: Room, port: Port) -> _Behind:
        if self._session is None:
            raise OSError("the activator does not run")
        if port.http2:
            http2 = Http2(room, port.target)
            return _Behind(Door(self.host, http2.protocol), http2)
        http1 = Http1(room, port.target, self._session)
        server = web.Server(http1.handle, handler_cancellation=True, access_log=None)
        return _Behind(Door(self.host, server), http1)
