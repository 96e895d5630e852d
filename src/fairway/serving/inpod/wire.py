"""HTTP/1.1 on a socket: reads requests, hands them to the application, writes answers in order.

Keep-alive, pipelining, chunked and gzip bodies, HEAD, `Expect: 100-continue`. A request that two parsers could
read in two ways is refused and its connection closed, because a gateway stands in front. It knows no paths.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from fairway.serving.inpod import http1
from fairway.serving.inpod.http1 import Head
from fairway.serving.inpod.messages import Answer, Refusal, Request

MOST_HEAD = 64 * 1024
MOST_AHEAD = 256 * 1024
"""What a client may send ahead while its last request is still at work; more waits in the socket."""

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\Z")

Respond = Callable[[Answer], None]


class Application(Protocol):
    def __call__(self, request: Request, respond: Respond, alive: Callable[[], bool]) -> None:
        """Answer now or later by calling `respond` once, on the event loop. Nobody waits once `alive` is False."""
        ...


@dataclass(slots=True)
class Listener:
    """What all connections of a server share. Draining, every answer asks its client to go elsewhere."""

    application: Application
    most_body: int = 256 * 1024 * 1024
    draining: bool = False
    connections: set[Connection] = field(default_factory=set)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last connection has gone."""

    def drain(self) -> None:
        """Close what is idle; what is at work is closed after its answer."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def close_stalled(self, older_than: float) -> None:
        """Close connections whose request is half sent for more than this many seconds."""
        for connection in tuple(self.connections):
            connection.close_if_stalled(older_than)


class Connection(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._head: Head | None = None
        self._chunks: list[bytes] = []
        self._size = 0  # of the chunks
        self._busy = False
        self._closing = False
        self._may_write = True
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
        self._listener.connections.discard(self)
        if not self._listener.connections:
            self._listener.empty.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._advance()
        elif len(self._buffer) > MOST_AHEAD:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._advance()

    # What the listener tells us.

    def close_if_idle(self) -> None:
        if not self._busy and not self._head and not self._buffer:
            self._closing = True
            self._transport.close()

    def close_if_stalled(self, older_than: float) -> None:
        incomplete = self._head or self._buffer
        if incomplete and not self._busy and time.monotonic() - self._since > older_than:
            self._refuse(Refusal(408, f"The request did not arrive within {older_than:.0f} seconds."))

    # From bytes to requests.

    def _advance(self) -> None:
        """Take requests from the buffer until one is at work or the rest has not arrived yet."""
        try:
            while self._buffer and not self._busy and not self._closing and self._may_write:
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
        return Request(head.method, head.path, head.headers, body)

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
        if len(self._buffer) < head.missing:
            return None
        body = bytes(self._buffer[: head.missing])
        del self._buffer[: head.missing]
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
        self._busy = True
        self._since = 0.0
        self._listener.application(request, self._respond, lambda: not self._closing)

    def _respond(self, answer: Answer) -> None:
        head = self._head
        self._head, self._busy = None, False
        if self._transport.is_closing() or head is None:
            return
        keep = head.keep_alive and not self._listener.draining and not self._closing
        self._transport.write(http1.wire_form(answer, keep_alive=keep, with_body=head.method != "HEAD"))
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
