"""HTTP/1.1 on a socket: reads requests, hands them to the application, writes answers in order.

Keep-alive, pipelining, chunked and gzip bodies, HEAD, `Expect: 100-continue`, answers that stream. A request that two
parsers could read in two ways is refused and its connection closed, because a gateway stands in front. A client that
hangs up ends its stream, and whoever works for it is told. It knows no paths.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from fairway.serving.inpod import http1
from fairway.serving.inpod.http1 import Head
from fairway.serving.inpod.messages import Answer, Call, Refusal, Request

MOST_HEAD = 64 * 1024
MOST_AHEAD = 256 * 1024
"""What a client may send ahead while its last request is at work, or it does not read; more waits in the socket."""

LARGE = 64 * 1024
"""A body beyond this is kept as it comes and joined once."""

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\Z")

Application = Callable[[Call], None]
"""Answers a call now or later, on the event loop."""


@dataclass(slots=True)
class Listener:
    """What all connections of a server share. Draining, every answer asks its client to go elsewhere."""

    application: Application
    most_body: int = 256 * 1024 * 1024
    draining: bool = False
    asked: float = 0.0
    """When the last request came that came while it drains."""
    connections: set[Connection] = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last connection has gone."""
    dropping: set[asyncio.Task[None]] = field(default_factory=set)

    def dropped(self, task: asyncio.Task[None]) -> None:
        self.dropping.add(task)
        task.add_done_callback(self.dropping.discard)

    def drain(self) -> None:
        """Close what is idle; what is at work is closed after its answer."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def close_stalled(self, older_than: float) -> None:
        """Close connections whose request is half sent for more than this many seconds."""
        for connection in tuple(self.connections):
            connection.close_if_stalled(older_than)


class Exchange:
    """The `Call` that a connection hands out: one request, until its answer is sent."""

    __slots__ = ("_connection", "_gone", "alive", "request")

    def __init__(self, request: Request, connection: Connection) -> None:
        self.request = request
        self.alive = True
        self._connection = connection
        self._gone: list[Callable[[], object]] = []

    def respond(self, answer: Answer) -> None:
        if self.alive:
            self._connection.answer(answer)
        elif answer.stream:
            self._connection.drop(answer.stream)

    def when_gone(self, callback: Callable[[], object]) -> None:
        self._gone.append(callback)

    def end(self, *, gone: bool) -> None:
        self.alive = False
        for callback in self._gone if gone else ():
            callback()


class Connection(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._head: Head | None = None
        self._large: list[bytes] = []  # the body of a large request as it came, joined once
        self._chunks: list[bytes] = []
        self._size = 0  # of the chunks, or of what is large
        self._call: Exchange | None = None  # at work
        self._sending: asyncio.Task[None] | None = None
        self._stream: AsyncIterator[bytes] | None = None  # that is being sent
        self._closing = False
        self._writable: asyncio.Future[None] | None = None  # while the client does not read
        self._since = 0.0  # when the request that is not complete began
        self._transport: asyncio.Transport

    # What the event loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass
        self._listener.connections.add(self)
        self._listener.empty.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._buffer.clear()
        if self._sending and self._stream:
            self._sending.cancel()
            self.drop(self._stream)
        if self._call:
            self._call.end(gone=True)
            self._call = None
        self._listener.connections.discard(self)
        if not self._listener.connections:
            self._listener.empty.set()

    def data_received(self, data: bytes) -> None:
        if self._large:
            self._large.append(data)
            self._size += len(data)
            if self._head and self._size < self._head.missing:
                return
        else:
            self._buffer += data
        if not self._call:
            self._advance()
        if (self._call or self._writable) and len(self._buffer) > MOST_AHEAD and not self._transport.is_closing():
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
        if not (self._call or self._transport.is_closing()):
            self._transport.resume_reading()
        self._advance()

    # What the listener tells us.

    def close_if_idle(self) -> None:
        if not self._call and not self._head and not self._buffer:
            self._closing = True
            self._transport.close()

    def close_if_stalled(self, older_than: float) -> None:
        incomplete = self._head or self._buffer
        if incomplete and not self._call and time.monotonic() - self._since > older_than:
            self._refuse(Refusal(408, f"The request did not arrive within {older_than:.0f} seconds."))

    # From bytes to requests.

    def _advance(self) -> None:
        """Take requests from the buffer until one is at work or the rest has not arrived yet."""
        try:
            while (self._buffer or self._large) and not (self._call or self._closing or self._writable):
                request = self._next()
                if request is None:
                    return
                self._start(request)
        except Refusal as refusal:
            self._refuse(refusal)

    def _next(self) -> Request | None:
        head = self._head
        if head is None:
            head = self._read_head()
            if head is None:
                return None
            self._head = head
        body = self._read_body(head)
        if body is None:
            return None
        encoding = head.headers.get("content-encoding", "")
        if encoding:
            body = http1.decompress(body, encoding, self._listener.most_body)
        return Request(head.method, head.path, head.headers, body, head.query)

    def _read_head(self) -> Head | None:
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):  # a client's superfluous line between requests
            del buffer[:2]
        if not self._since:
            self._since = time.monotonic()
        end = buffer.find(b"\r\n\r\n", 0, MOST_HEAD + 4)
        if end < 0:
            if len(buffer) > MOST_HEAD:
                raise Refusal(431, f"The request's headers are longer than {MOST_HEAD} bytes.")
            return None
        block = bytes(buffer[: end + 2])
        del buffer[: end + 4]
        head = http1.parse(block, self._listener.most_body)
        if head.headers.get("expect", "").lower() == "100-continue" and not buffer:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return head

    def _read_body(self, head: Head) -> bytes | None:
        if head.missing < 0:
            return self._read_chunks()
        if self._large:
            return self._take_large(head)
        if len(self._buffer) < head.missing:
            if head.missing > LARGE:
                self._large, self._size = [bytes(self._buffer)], len(self._buffer)
                self._buffer.clear()
            return None
        body = bytes(self._buffer[: head.missing])
        del self._buffer[: head.missing]
        return body

    def _take_large(self, head: Head) -> bytes | None:
        surplus = self._size - head.missing
        if surplus < 0:
            return None
        if surplus:
            last = self._large.pop()
            self._large.append(last[: len(last) - surplus])
            self._buffer += last[len(last) - surplus :]
        body = b"".join(self._large)
        self._large, self._size = [], 0
        return body

    def _read_chunks(self) -> bytes | None:
        """Each chunk is its size in hexadecimal, its bytes, a line end; size 0 and an empty line end the body."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\r\n", 0, 1024)
            if end < 0:
                if len(buffer) > 1024:
                    raise Refusal(400, "The request's body has a chunk without a size.")
                return None
            found = _CHUNK_SIZE.match(bytes(buffer[:end]))
            if not found:
                raise Refusal(400, "The request's body has a chunk whose size is not a hexadecimal number.")
            size = int(found[1], 16)
            if self._size + size > self._listener.most_body:
                raise http1.too_large(self._listener.most_body)
            if len(buffer) < end + 2 + size + 2:
                return None
            if buffer[end + 2 + size : end + 4 + size] != b"\r\n":
                raise Refusal(400, "The request's body has trailers, or a chunk that is longer than its size says.")
            self._chunks.append(bytes(buffer[end + 2 : end + 2 + size]))
            self._size += size
            del buffer[: end + 4 + size]
            if size == 0:
                body = b"".join(self._chunks)
                self._chunks, self._size = [], 0
                return body

    # From answers to bytes.

    def _start(self, request: Request) -> None:
        self._call = call = Exchange(request, self)
        self._since = 0.0
        if self._listener.draining:
            self._listener.asked = time.monotonic()
        self._listener.application(call)

    def answer(self, answer: Answer) -> None:
        """Send it; an answer that streams takes its time."""
        head = self._head
        if self._transport.is_closing() or head is None or self._sending:
            if answer.stream:
                self.drop(answer.stream)
            return
        if answer.stream and head.method != "HEAD":
            self._stream = answer.stream
            self._sending = asyncio.get_running_loop().create_task(self._send(answer, answer.stream, head))
            return
        if answer.stream:
            self.drop(answer.stream)
        keep = head.keep_alive and not self._listener.draining and not self._closing
        parts = http1.wire_parts(answer, keep_alive=keep, with_body=head.method != "HEAD")
        if len(parts) == 1:
            self._transport.write(parts[0])
        else:
            self._transport.writelines(parts)
        self._finish(keep=keep)

    async def _send(self, answer: Answer, stream: AsyncIterator[bytes], head: Head) -> None:
        """The chunks as they come, as fast as the client reads. The first is awaited before the status is told, so
        that what fails at once is an error of its own."""
        begun, keep = False, head.keep_alive and head.chunks and not self._listener.draining
        try:
            async for piece in stream:
                if not begun:
                    self._transport.write(http1.stream_head(answer, keep_alive=keep, chunks=head.chunks))
                    begun = True
                if piece:
                    self._transport.write(http1.chunk(piece) if head.chunks else piece)
                if self._writable:
                    await self._writable
        except Exception as failure:
            self._broken(failure, begun=begun)
            return
        finally:
            await _close(stream)
        end = http1.chunk(b"") if head.chunks else b""
        self._transport.write(end if begun else http1.stream_head(answer, keep_alive=keep, chunks=head.chunks) + end)
        self._sending = self._stream = None
        self._finish(keep=keep and not self._listener.draining)

    def drop(self, stream: AsyncIterator[bytes]) -> None:
        """End a stream that nobody reads."""
        self._listener.dropped(asyncio.get_running_loop().create_task(_close(stream)))

    def _broken(self, failure: Exception, *, begun: bool) -> None:
        """A stream that ends early must not look whole: the connection breaks off."""
        self._sending = self._stream = None
        if not isinstance(failure, Refusal):
            traceback.print_exception(failure)
            failure = Refusal(500, f"The server failed: {type(failure).__name__}: {failure}")
        if begun:
            self._transport.abort()
        else:
            self.answer(failure.answer())

    def _finish(self, *, keep: bool) -> None:
        """The answer is sent: on to the next request, or the end."""
        if self._call:
            self._call.end(gone=False)
        self._head = self._call = None
        if not keep:
            self._closing = True
            self._transport.close()
            return
        self._transport.resume_reading()
        if self._buffer:
            # Not at once: a pipelined burst of quick requests must not grow the stack or starve others.
            asyncio.get_running_loop().call_soon(self._advance)

    def _refuse(self, refusal: Refusal) -> None:
        """Where the bytes cannot be trusted, the connection ends with the answer."""
        self._buffer.clear()
        self._closing = True
        self._transport.write(http1.wire_form(refusal.answer(), keep_alive=False, with_body=True))
        self._transport.close()


async def _close(stream: AsyncIterator[bytes]) -> None:
    if close := getattr(stream, "aclose", None):
        with suppress(Exception):
            await close()
