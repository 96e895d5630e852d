"""A talk over SPDY, as kubectl before 1.31 asks for it: one stream for each of input, output, errors and sizes.

The client opens them all and names each by the header streamtype; nothing is said before all are there. The end goes
out on the stream `error`, as a Status.
"""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from fairway.cluster.api import takeover
from fairway.cluster.api.forwarding.spdy import PING, SYN_REPLY, SYN_STREAM, Frame, Malformed, Reader, Writer
from fairway.cluster.api.pods.podexec import Talk
from fairway.cluster.api.talking import ending
from fairway.cluster.api.talking.asking import Wanted
from fairway.cluster.api.talking.sockets import resize
from fairway.kernel.objects import errors

PROTOCOL = "v4.channel.k8s.io"
_OPENED_WITHIN = 30.0
_NAMES = {1: "stdout", 2: "stderr"}


def check(request: web.BaseRequest) -> None:
    """Raises BadRequest for a client that speaks only what was before version 4."""
    offered = [
        word.strip() for line in request.headers.getall("X-Stream-Protocol-Version", []) for word in line.split(",")
    ]
    if PROTOCOL not in offered:
        raise errors.BadRequest(f"of the protocols of this connection only {PROTOCOL} is spoken here")


async def carry(request: web.BaseRequest, talk: Talk, asked: Wanted) -> web.StreamResponse:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": PROTOCOL}
    taken = await takeover.take(request, headers)
    line = _Line(taken, talk, asked)
    hearing = asyncio.create_task(line.hear())
    try:
        async with asyncio.timeout(_OPENED_WITHIN):
            await line.opened.wait()
        await line.say()
    except (ConnectionError, TimeoutError):
        pass  # the client has gone, or is none
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        await talk.close()
        taken.close()
    return taken.response


class _Line:
    def __init__(self, taken: takeover.Taken, talk: Talk, asked: Wanted) -> None:
        self._taken, self._talk, self._asked = taken, talk, asked
        self._reader, self._writer = Reader(), Writer()
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self.opened = asyncio.Event()

    async def hear(self) -> None:
        if not self._asked.input:
            self._talk.end_input()
        try:
            async for data in self._taken.pieces():
                for frame in self._reader.feed(data):
                    await self._take(frame)
        except (Malformed, ConnectionError):
            pass
        finally:
            await self._talk.close()  # nobody is there any more

    async def say(self) -> None:
        while (piece := await self._talk.read()) is not None:
            channel, data = piece
            await self._write(_NAMES[channel], data)
        end = await ending.status(self._talk)
        for name in ("stdout", "stderr"):
            await self._write(name, b"", last=True)
        await self._write("error", orjson.dumps(end), last=True)

    async def _take(self, frame: Frame) -> None:
        if frame.type == SYN_STREAM:
            name = frame.headers.get("streamtype", "")
            self._numbers[name], self._names[frame.number] = frame.number, name
            await self._send(Frame(SYN_REPLY, frame.number))
            if self._asked.streams <= self._numbers.keys():
                self.opened.set()
        elif frame.type == PING:
            await self._send(Frame(PING, frame.number))
        elif frame.type == 0:
            await self._hear(self._names.get(frame.number, ""), frame)

    async def _hear(self, name: str, frame: Frame) -> None:
        if name == "stdin":
            if frame.payload:
                await self._talk.write(frame.payload)
            if frame.last:
                self._talk.end_input()
        elif name == "resize" and frame.payload:
            resize(self._talk, frame.payload)

    async def _write(self, name: str, data: bytes, *, last: bool = False) -> None:
        if number := self._numbers.get(name):
            await self._send(Frame(0, number, data, last=last))

    async def _send(self, frame: Frame) -> None:
        await self._taken.send(self._writer.frame(frame))  # made and written at once: they share one compression
