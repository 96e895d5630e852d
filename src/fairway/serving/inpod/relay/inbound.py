"""A client's connection: each request is given to the application once its head is there, its body as it comes.

The application gives a `Taker` for each request, which is told of the body and of a client that leaves, and answers
through the `Call`, at once or in pieces. Requests on one connection are answered in order, one at a time; what a client
sends ahead waits. Both directions are held back where the other side is slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from fairway.serving.inpod import http1
from fairway.serving.inpod.http1 import Head
from fairway.serving.inpod.messages import Answer, Refusal
from fairway.serving.inpod.relay import framing
from fairway.serving.inpod.relay.framing import Body

MOST_AHEAD = 256 * 1024
_ANY_SIZE = 10**14  # what passes through has no limit here; whoever holds a body has one


class Taker(Protocol):
    """What becomes of one request."""

    def body(self, raw: bytes) -> None:
        """Bytes of the body as they came."""
        ...

    def end(self) -> None:
        """The request is whole."""
        ...

    def gone(self) -> None:
        """The client has left; nobody reads an answer."""
        ...

    def client_slow(self, slow: bool) -> None:
        """The client reads slowly: send no more until it is called again with False."""
        ...


def _open_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True, eq=False)
class Call:
    """One request and the way to answer it. `block` is its head as it came; `arriving` measures its body."""

    head: Head
    block: bytes
    arriving: Body
    connection: Inbound
    began: float
    answered: bool = False
    """Whether its client has got the first of the answer."""
    _room: asyncio.Event = field(default_factory=_open_event)

    @property
    def open(self) -> bool:
        """Whether its client still waits for the answer."""
        return self.connection.call is self

    def answer(self, answer: Answer) -> None:
        if self.open:
            keep = self.keeps
            with_body = self.head.method != "HEAD"
            self.connection.write(http1.wire_form(answer, keep_alive=keep, with_body=with_body))
            self.connection.finish(keep=keep)

    @property
    def keeps(self) -> bool:
        """Whether the connection goes on after an answer that is given now."""
        return self.head.keep_alive and self.arriving.done and not self.connection.door.draining

    def write(self, data: bytes) -> None:
        if self.open:
            self.answered = True
            self.connection.write(data)

    async def room(self) -> None:
        """Wait while its client reads slowly; for takers that give `slow` what they are told."""
        await self._room.wait()

    def slow(self, is_slow: bool) -> None:
        if is_slow:
            self._room.clear()
        else:
            self._room.set()

    def finish(self, *, keep: bool) -> None:
        if self.open:
            self.connection.finish(keep=keep)

    def break_off(self) -> None:
        """The rest of an answer will not come: the client sees its connection break, and not an end."""
        if self.open:
            self.connection.abort()

    def hold(self, wait: bool) -> None:
        """Take no more of its body from the client for now."""
        if self.open:
            self.connection.hold(wait)


@dataclass(slots=True)
class Door:
    """What all connections of a server share. Draining, every answer closes its connection."""

    application: Callable[[Call], Taker | None]
    """Gives None where the answer is given already."""
    draining: bool = False
    asked: float = 0.0
    """When the last request came that came while it drains."""
    connections: set[Inbound] = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last connection has gone."""

    def drain(self) -> None:
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def close_stalled(self, older_than: float) -> None:
        """Close connections whose next head is half sent for more than this many seconds."""
        for connection in tuple(self.connections):
            connection.close_if_stalled(older_than)

    def close_idle(self, older_than: float) -> None:
        """Close connections that wait for a next request for more than this many seconds."""
        for connection in tuple(self.connections):
            connection.close_if_idle(older_than)


class Inbound(asyncio.Protocol):
    def __init__(self, door: Door) -> None:
        self.door = door
        self.call: Call | None = None
        self._taker: Taker | None = None
        self._buffer = b""
        self._since = 0.0  # when the head that is not whole began
        self._idle = time.monotonic()  # since when no request is at work
        self._closing = self._held = False
        self._transport: asyncio.Transport

    # What the event loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.door.connections.add(self)
        self.door.empty.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._buffer = b""
        taker, self._taker, self.call = self._taker, None, None
        self.door.connections.discard(self)
        if not self.door.connections:
            self.door.empty.set()
        if taker:
            taker.gone()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        self._advance()

    def pause_writing(self) -> None:
        if self._taker:
            self._taker.client_slow(True)

    def resume_writing(self) -> None:
        if self._taker:
            self._taker.client_slow(False)

    # What the call tells us.

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def finish(self, *, keep: bool) -> None:
        call, self.call, self._taker = self.call, None, None
        self._idle = time.monotonic()
        if not keep or (call and not call.arriving.done):
            self._close()
            return
        if self._held:
            self.hold(False)
        self._transport.resume_reading()
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._advance)

    def hold(self, wait: bool) -> None:
        self._held = wait
        if wait:
            self._transport.pause_reading()
        elif not self._closing:
            self._transport.resume_reading()
            self._advance()

    def abort(self) -> None:
        self._transport.abort()

    def close_if_idle(self, older_than: float = 0.0) -> None:
        if self.call is None and not self._buffer and time.monotonic() - self._idle >= older_than:
            self._close()

    def close_if_stalled(self, older_than: float) -> None:
        if self.call is None and self._buffer and time.monotonic() - self._since > older_than:
            self._refuse(Refusal(408, f"The request did not arrive within {older_than:.0f} seconds."))

    def _close(self) -> None:
        self._closing = True
        self._buffer = b""
        self._transport.close()

    # From bytes to calls.

    def _advance(self) -> None:
        try:
            while self._buffer and not self._closing and not self._held:
                if self.call is None:
                    if not self._begin():
                        return
                elif not self.call.arriving.done:
                    self._pass(self.call)
                else:
                    if len(self._buffer) > MOST_AHEAD:
                        self._transport.pause_reading()
                    return
        except Refusal as refusal:
            self._refuse(refusal)
        except framing.Malformed as wrong:
            self._refuse(Refusal(400, f"The request cannot be read: {wrong}."))

    def _begin(self) -> bool:
        """Whether a call began."""
        self._buffer = self._buffer.lstrip(b"\r\n") if self._buffer.startswith(b"\r\n") else self._buffer
        self._since = self._since or time.monotonic()
        end = self._buffer.find(b"\r\n\r\n", 0, framing.MOST_HEAD + 4)
        if end < 0:
            if len(self._buffer) > framing.MOST_HEAD:
                raise Refusal(431, f"The request's headers are longer than {framing.MOST_HEAD} bytes.")
            return False
        block, self._buffer = self._buffer[: end + 2], self._buffer[end + 4 :]
        head = http1.parse(block, _ANY_SIZE)
        self._since = 0.0
        if head.headers.get("expect", "").lower() == "100-continue" and not self._buffer:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        call = Call(head, block, Body(head.missing, strict=True), self, time.monotonic())
        self.call = call
        if self.door.draining:
            self.door.asked = call.began
        taker = self.door.application(call)
        if not call.open:
            return True
        self._taker = taker
        if call.arriving.done and taker:
            taker.end()
        return True

    def _pass(self, call: Call) -> None:
        taken = call.arriving.take(self._buffer)
        raw, self._buffer = self._buffer[:taken], self._buffer[taken:]
        if self._taker:
            self._taker.body(raw)
        if call.arriving.done and self._taker:
            self._taker.end()

    def _refuse(self, refusal: Refusal) -> None:
        """Where the bytes cannot be trusted, the connection ends with the answer."""
        if self._transport.is_closing():
            return
        taker, self._taker = self._taker, None
        call, self.call = self.call, None
        if call and call.answered:  # a second answer would be read as the rest of the first
            self._closing, self._buffer = True, b""
            self._transport.abort()
        else:
            self._transport.write(http1.wire_form(refusal.answer(), keep_alive=False, with_body=True))
            self._close()
        if taker:
            taker.gone()
