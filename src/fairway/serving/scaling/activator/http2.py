"""HTTP/2 (gRPC) through a door: the connection waits in the hall, and is then joined to one to a pod, byte by byte.

Both ends speak with each other and nothing is changed; the streams that pass are counted. While it is held a
connection counts as one request, since who connects wants something. If no pod comes, each call is answered with
the status UNAVAILABLE and a sentence.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress

from fairway.serving.scaling.activator import frames
from fairway.serving.scaling.activator.frames import Side, Streams
from fairway.serving.scaling.activator.hall import CannotWake, NoRoom
from fairway.serving.scaling.activator.room import Room

_PIECE = 64 * 1024
_AGAIN = 0.02
_REFUSING = 0.5
"""Seconds in which the calls of a connection that is refused are looked for."""


class Http2:
    """What is behind one HTTP/2 door. `target` is the port of the pods."""

    def __init__(self, room: Room, target: int) -> None:
        self._room = room
        self.target = target
        self._talks: set[asyncio.Task[None]] = set()

    def protocol(self) -> asyncio.BaseProtocol:
        reader = asyncio.StreamReader(limit=_PIECE)
        return asyncio.StreamReaderProtocol(reader, self._began)

    def close(self) -> None:
        for talk in self._talks:
            talk.cancel()

    def _began(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer), name="activator-http2")
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            try:
                with self._room.visit():
                    pod, theirs = await self._reached()
                try:
                    await _Join(self._room, reader, writer, *theirs).run()
                finally:
                    self._room.hall.leave(pod)
            except (NoRoom, CannotWake, TimeoutError) as reason:
                await _refuse(reader, writer, str(reason) or f"no pod of {self._room.name} answers")
            finally:
                writer.close()

    async def _reached(self) -> tuple[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A pod and a connection to it."""
        async with asyncio.timeout(self._room.patience):
            while True:
                pod = await self._room.hall.enter()
                try:
                    return pod, await asyncio.open_connection(pod, self.target, limit=_PIECE)
                except OSError:
                    self._room.hall.without(pod)
                    self._room.hall.leave(pod)
                    await asyncio.sleep(_AGAIN)
                except BaseException:
                    self._room.hall.leave(pod)
                    raise


class _Join:
    def __init__(
        self,
        room: Room,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pods_reader: asyncio.StreamReader,
        pods_writer: asyncio.StreamWriter,
    ) -> None:
        self._room = room
        self._ways = {Side.CLIENT: (reader, pods_writer), Side.SERVER: (pods_reader, writer)}
        self._streams = Streams()
        self._visits: list[ExitStack] = []

    async def run(self) -> None:
        """Until one of both has nothing more to say and the other has heard it."""
        ways = [asyncio.ensure_future(self._carry(side)) for side in self._ways]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for visit in self._visits:
                visit.close()
            self._ways[Side.CLIENT][1].close()

    async def _carry(self, side: Side) -> None:
        reader, writer = self._ways[side]
        while piece := await reader.read(_PIECE):
            began, ended = self._streams.feed(side, piece)
            for _ in range(began):
                self._visits.append(ExitStack())
                self._visits[-1].enter_context(self._room.visit())
            writer.write(piece)
            await writer.drain()
            for _ in range(ended):
                self._visits.pop().close()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reason: str) -> None:
    """Answer every call that was begun. It would be tried again and again if it were only told that nobody looked."""
    streams = Streams()
    writer.write(frames.settings() + frames.settings(acknowledged=True))
    newest = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_REFUSING):
            while piece := await reader.read(_PIECE):
                streams.feed(Side.CLIENT, piece)
                for stream in sorted(streams.open):
                    writer.write(frames.unavailable(stream, reason))
                    newest = max(newest, stream)
                streams.open.clear()
    writer.write(frames.goaway(newest))
    await writer.drain()
