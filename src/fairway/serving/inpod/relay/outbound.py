"""Connections to one origin, kept open between requests, each with one request at work.

Who sends a request is an `Asker`, told of the answer as it comes. A connection that the origin closed while it lay idle
is no failure: a request that got no byte of an answer over such a connection, and is still known whole, is sent once
more over a new one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol, cast

from fairway.serving.inpod.relay import framing
from fairway.serving.inpod.relay.framing import AnswerHead, Body

_REMEMBERED = 64 * 1024  # of a request, so that it can be sent again
_IDLE = 32


class Asker(Protocol):
    def head(self, head: AnswerHead) -> None: ...

    def piece(self, raw: bytes) -> None:
        """Bytes of the answer's body as they came."""
        ...

    def ended(self) -> None: ...

    def failed(self, why: str, *, sent: bool) -> None:
        """No answer, or not the rest of it. `sent` is False where the request cannot have reached the origin."""
        ...

    def origin_slow(self, slow: bool) -> None:
        """The origin reads slowly: send no more until it is called again with False."""
        ...


class Origin:
    """Where requests go: its address and its idle connections."""

    def __init__(self, host: str, port: int, *, secure: ssl.SSLContext | None = None, patience: float = 10.0) -> None:
        self.host, self.port, self._secure, self._patience = host, port, secure, patience
        self._idle: list[Outbound] = []
        self._opening: set[asyncio.Task[None]] = set()

    def send(self, method: str, head: bytes, asker: Asker, body: bytes = b"") -> Sending:
        """Begin a request: `head` with its empty line at the end, and the first of its body."""
        sending = Sending(self, method, head + body, asker)
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.carry(sending, reused=True)
                return sending
        self.open(sending)
        return sending

    def open(self, sending: Sending) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(sending))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, sending: Sending) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                _, connection = await loop.create_connection(
                    lambda: Outbound(self), self.host, self.port, ssl=self._secure
                )
        except (OSError, UnicodeError) as failure:  # the latter of a host whose name no resolver can be asked for
            reason = str(failure) or f"no connection within {self._patience:g} seconds"
            sending.lost(f"{self.host}:{self.port} cannot be reached: {reason}", sent=False)
            return
        if sending.given_up:
            connection.rest()
        else:
            connection.carry(sending, reused=False)

    def keep(self, connection: Outbound) -> None:
        if len(self._idle) < _IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: Outbound) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        for task in self._opening:
            task.cancel()


class Sending:
    """One request on its way. More of its body follows with `write`."""

    __slots__ = ("_again", "_connection", "_origin", "_waiting", "asker", "begun", "copy", "given_up", "method")

    def __init__(self, origin: Origin, method: str, first: bytes, asker: Asker) -> None:
        self._origin, self.method, self.asker = origin, method, asker
        self._again: bytes | None = first if len(first) <= _REMEMBERED else None
        self._waiting: list[bytes] | None = [first]
        self._connection: Outbound | None = None
        self.copy: Callable[[bytes], None] | None = None  # gets what is in the answer's body, without chunks
        self.begun = self.given_up = False

    def write(self, data: bytes) -> None:
        if self._again is not None:
            self._again = self._again + data if len(self._again) + len(data) <= _REMEMBERED else None
        if self._waiting is not None:
            self._waiting.append(data)
            if sum(map(len, self._waiting)) > _REMEMBERED:
                self.asker.origin_slow(True)
        elif self._connection:
            self._connection.write(data)

    def give_up(self) -> None:
        """Nobody wants the answer: the origin sees its connection close, and may stop its work."""
        self.given_up = True
        if self._connection:
            self._connection.abandon()
            self._connection = None

    def hold(self, wait: bool) -> None:
        """Take no more of the answer for now."""
        if self._connection:
            self._connection.hold(wait)

    # What the connection tells us.

    def taken(self, connection: Outbound) -> None:
        waiting, self._waiting = self._waiting or [], None
        self._connection = connection
        connection.write(b"".join(waiting))
        if sum(map(len, waiting)) > _REMEMBERED and not connection.full:
            self.asker.origin_slow(False)

    def lost(self, why: str, *, sent: bool, reused: bool = False) -> None:
        self._connection = None
        if self.given_up:
            return
        if reused and not self.begun and self._again is not None:
            self._waiting = [self._again]
            self._origin.open(self)
            return
        self.asker.failed(why, sent=sent)

    def done(self) -> None:
        self._connection = None
        self.asker.ended()


class Outbound(asyncio.Protocol):
    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._sending: Sending | None = None
        self._answer: Body | None = None
        self._buffer = b""
        self._keep = self._reused = False
        self.full = False
        """The origin has not read yet what was written."""
        self._transport: asyncio.Transport

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    def carry(self, sending: Sending, *, reused: bool) -> None:
        self._sending, self._reused, self._answer = sending, reused, None
        sending.taken(self)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def hold(self, wait: bool) -> None:
        if wait:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def rest(self) -> None:
        """Idle, until somebody sends."""
        self._sending, self._answer, self._buffer = None, None, b""
        self._transport.resume_reading()
        self._origin.keep(self)

    def abandon(self) -> None:
        self._sending = None
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    # What the event loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._origin.forget(self)
        sending, self._sending = self._sending, None
        if sending is None:
            return
        if self._answer and self._answer.until_close and exc is None:
            sending.done()
        else:
            where = f"{self._origin.host}:{self._origin.port}"
            sending.lost(f"{where} closed the connection before its answer was whole", sent=True, reused=self._reused)

    def pause_writing(self) -> None:
        self.full = True
        if self._sending:
            self._sending.asker.origin_slow(True)

    def resume_writing(self) -> None:
        self.full = False
        if self._sending:
            self._sending.asker.origin_slow(False)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        try:
            while self._buffer and self._sending:
                if self._answer is None:
                    if not self._begin(self._sending):
                        return
                else:
                    self._pass(self._sending, self._answer)
        except framing.Malformed as wrong:
            sending, self._sending = self._sending, None
            self._transport.abort()
            if sending:
                sending.lost(f"{self._origin.host}:{self._origin.port}: {wrong}", sent=True)
        if self._buffer and self._sending is None:
            self._transport.abort()  # bytes that nobody asked for

    def _begin(self, sending: Sending) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > framing.MOST_HEAD:
                raise framing.Malformed("the answer's headers do not end")
            return False
        block, self._buffer = self._buffer[: end + 2], self._buffer[end + 4 :]
        head = framing.answer_head(block, sending.method)
        if head.status < 200 and head.status != 101:
            return True  # 100 Continue and its like: the answer comes after it
        sending.begun = True
        self._answer = Body(head.length)
        self._keep = head.keep_alive
        sending.asker.head(head)
        self._answer.copy = sending.copy
        if self._answer.done and self._sending is sending:
            self._finish(sending)
        return True

    def _pass(self, sending: Sending, answer: Body) -> None:
        taken = answer.take(self._buffer)
        raw, self._buffer = self._buffer[:taken], self._buffer[taken:]
        sending.asker.piece(raw)
        if answer.done and self._sending is sending:
            self._finish(sending)

    def _finish(self, sending: Sending) -> None:
        self._sending = None
        if self._keep and not self._buffer:
            self.rest()
        else:
            self._transport.close()
        sending.done()
