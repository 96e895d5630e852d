"""kubectl's port forwarding: for each connection of the user two SPDY streams, one for its bytes and one for errors.

The client opens both and names them by the headers streamtype (data, error), port and requestid. What the pod sends
goes out on the data stream; why there is no connection goes out on the error stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from fairway.cluster.api.forwarding.connecting import CHUNK, NoConnection, Target
from fairway.cluster.api.forwarding.spdy import (
    GOAWAY,
    PING,
    RST_STREAM,
    SYN_REPLY,
    SYN_STREAM,
    Frame,
    Malformed,
    Reader,
    Writer,
)

log = logging.getLogger(__name__)

Send = Callable[[bytes], Awaitable[None]]

_MOST_STREAMS = 1000
_AHEAD = 64
"""Pieces of a user's bytes that may wait for the pod; then the whole connection waits, as there are no windows here."""


@dataclass
class _Stream:
    number: int
    incoming: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(_AHEAD))
    closed: bool = False

    def close(self) -> None:
        """Nobody takes its bytes any more: who waits to give some goes on, for the sake of the other streams."""
        self.closed = True
        while not self.incoming.empty():
            self.incoming.get_nowait()


@dataclass
class _Pair:
    """The streams of one connection of the user, as they come."""

    port: int
    data: _Stream | None = None
    error: _Stream | None = None


class Tunnel:
    """One connection of a client. `feed` takes its bytes; what it began goes on until `close`."""

    def __init__(self, target: Target, send: Send) -> None:
        self._target, self._send = target, send
        self._reader, self._writer = Reader(), Writer()
        self._pairs: dict[str, _Pair] = {}
        self._streams: dict[int, _Stream] = {}
        self._carrying: dict[int, asyncio.Task[None]] = {}
        self._writing = asyncio.Lock()

    async def feed(self, data: bytes) -> None:
        """Raises Malformed where the client does not speak SPDY."""
        for frame in self._reader.feed(data):
            await self._take(frame)

    async def close(self) -> None:
        for task in self._carrying.values():
            task.cancel()
        await asyncio.gather(*self._carrying.values(), return_exceptions=True)

    async def _take(self, frame: Frame) -> None:
        if frame.type == SYN_STREAM:
            await self._open(frame)
        elif frame.type == PING:
            await self._write(Frame(PING, frame.number))
        elif frame.type == RST_STREAM:
            self._forget(frame.number)
        elif frame.type == 0 and (stream := self._streams.get(frame.number)):
            if frame.payload:
                await stream.incoming.put(frame.payload)
            if frame.last and not stream.closed:
                await stream.incoming.put(None)
        elif frame.type == GOAWAY:
            log.debug("the client of a port forwarding says good-bye")

    async def _open(self, frame: Frame) -> None:
        kind, request, port = (frame.headers.get(name, "") for name in ("streamtype", "requestid", "port"))
        if kind not in ("data", "error") or not port.isdecimal() or not 0 < int(port) < 65536:
            raise Malformed(f"a stream of type {kind!r} to port {port!r} is no stream of a port forwarding")
        if len(self._streams) >= _MOST_STREAMS:
            await self._write(Frame(RST_STREAM, frame.number, (3).to_bytes(4, "big")))  # refused
            return
        stream = self._streams[frame.number] = _Stream(frame.number)
        pair = self._pairs.setdefault(request or str(frame.number), _Pair(int(port)))
        if kind == "data":
            pair.data = stream
        else:
            pair.error = stream
        await self._write(Frame(SYN_REPLY, frame.number))
        if pair.data and pair.error:
            self._pairs.pop(request, None)
            task = asyncio.create_task(self._carry(pair.port, pair.data, pair.error))
            self._carrying[pair.data.number] = task
            task.add_done_callback(partial(self._carried, pair.data.number))

    async def _carry(self, port: int, data: _Stream, error: _Stream) -> None:
        with suppress(ConnectionError):  # the client has gone: nobody is left to tell
            await self._connect(port, data, error)

    async def _connect(self, port: int, data: _Stream, error: _Stream) -> None:
        try:
            reader, writer = await self._target.connect(port)
        except NoConnection as failure:
            await self._write(Frame(0, error.number, str(failure).encode(), last=True))
            await self._write(Frame(0, data.number, last=True))
            self._end(data)
            return
        finally:
            self._end(error)
        try:
            why = ""
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_to_pod(data, writer))
                    both.create_task(self._from_pod(data, reader))
            except* OSError as failures:
                why = str(failures.exceptions[0])
            await self._write(Frame(0, error.number, why.encode(), last=True))
        finally:
            writer.close()
            self._end(data)

    def _carried(self, number: int, task: asyncio.Task[None]) -> None:
        self._carrying.pop(number, None)
        if not task.cancelled() and (failure := task.exception()):
            log.error("a forwarded connection cannot be carried", exc_info=failure)

    async def _from_pod(self, data: _Stream, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(CHUNK):
            await self._write(Frame(0, data.number, chunk))
        await self._write(Frame(0, data.number, last=True))

    def _end(self, stream: _Stream) -> None:
        self._streams.pop(stream.number, None)
        stream.close()

    def _forget(self, number: int) -> None:
        if stream := self._streams.get(number):
            self._end(stream)
        if task := self._carrying.pop(number, None):
            task.cancel()

    async def _write(self, frame: Frame) -> None:
        async with self._writing:  # header blocks share one compression: they must leave in the order they were made
            await self._send(self._writer.frame(frame))


async def _to_pod(data: _Stream, writer: asyncio.StreamWriter) -> None:
    while (chunk := await data.incoming.get()) is not None:
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
