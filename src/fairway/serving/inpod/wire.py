"""HTTP/1.1 on a socket: reads requests, hands them to the application, writes answers in order.

Keep-alive, pipelining, chunked and gzip bodies, HEAD, `Expect: 100-continue`. A request that two parsers could
read in two ways is refused and its connection closed, because a gateway stands in front. It knows no paths.
"""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol, cast
from urllib.parse import unquote

from fairway.serving.inpod.messages import Answer, Refusal, Request

MOST_HEAD = 64 * 1024
MOST_AHEAD = 256 * 1024
"""What a client may send ahead while its last request is still at work; more waits in the socket."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIRST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/1\.([01])")
_HEADERS = re.compile(rb"(?:" + _TOKEN + rb":[^\r\n\0]*\r\n)*")
_HEADER = re.compile(rb"([^:\r\n]+):([^\r\n]*)\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\Z")
_ONLY_ONCE = ("content-length", "transfer-encoding", "host", "content-encoding", "inference-header-content-length")

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


@dataclass(slots=True)
class _Head:
    """A request whose body is being read. `missing` counts its bytes; -1 is a chunked body."""

    method: str
    path: str
    headers: dict[str, str]
    keep_alive: bool
    missing: int


class Connection(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._head: _Head | None = None
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
            body = _decompress(body, encoding, self._listener.most_body)
        return Request(head.method, head.path, head.headers, body)

    def _read_head(self) -> _Head | None:
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
        head = _parse(block, self._listener.most_body)
        if head.headers.get("expect", "").lower() == "100-continue" and not buffer:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return head

    def _read_body(self, head: _Head) -> bytes | None:
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
                raise _too_large(self._listener.most_body)
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
        self._transport.write(_wire_form(answer, keep_alive=keep, with_body=head.method != "HEAD"))
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
        self._transport.write(_wire_form(refusal.answer(), keep_alive=False, with_body=True))
        self._transport.close()


def _parse(block: bytes, most_body: int) -> _Head:
    line, _, rest = block.partition(b"\r\n")
    first = _FIRST_LINE.fullmatch(line)
    if not first:
        raise Refusal(400, "The first line of the request is not HTTP/1.1.")
    if not _HEADERS.fullmatch(rest):
        raise Refusal(400, "The request has a header that is not `name: value`.")
    headers = _headers(rest)
    method, target, minor = first[1].decode(), first[2].decode(), first[3]
    if minor == b"1" and "host" not in headers:
        raise Refusal(400, "The request has no Host header.")
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection if minor == b"1" else "keep-alive" in connection
    return _Head(method, _path(target), headers, keep_alive, _length(headers, most_body))


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in _HEADER.findall(block):
        name, value = raw_name.decode().lower(), raw_value.strip(b" \t").decode("latin-1")
        if name in headers:
            if name in _ONLY_ONCE:
                raise Refusal(400, f"The request has more than one {name} header.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _path(target: str) -> str:
    """The decoded path, without query; a proxy may have sent the whole URL."""
    if not target.startswith("/"):
        _, separator, rest = target.partition("://")
        target = "/" + rest.partition("/")[2] if separator else target
    path = target.partition("?")[0]
    return unquote(path) if "%" in path else path


def _length(headers: dict[str, str], most_body: int) -> int:
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None:
            raise Refusal(400, "The request has both Content-Length and Transfer-Encoding.")
        if coding.lower() != "chunked":
            raise Refusal(501, f"Transfer-Encoding {coding!r} is not supported; send chunked, or a Content-Length.")
        return -1
    if length is None:
        return 0
    if not (length.isascii() and length.isdigit()):
        raise Refusal(400, "The request's Content-Length is not a number.")
    if len(length) > 15 or int(length) > most_body:
        raise _too_large(most_body)
    return int(length)


def _decompress(body: bytes, encoding: str, most_body: int) -> bytes:
    windows = {"gzip": 31, "x-gzip": 31, "deflate": 15, "identity": 0}
    if encoding.lower() not in windows:
        raise Refusal(415, f"Content-Encoding {encoding!r} is not supported; send gzip, deflate or none.")
    if not (window := windows[encoding.lower()]):
        return body
    unpacker = zlib.decompressobj(window)
    try:
        plain = unpacker.decompress(body, most_body + 1)
    except zlib.error as wrong:
        raise Refusal(400, f"The body is not {encoding}: {wrong}.") from None
    if len(plain) > most_body:
        raise _too_large(most_body)
    if not unpacker.eof:
        raise Refusal(400, f"The {encoding} body ends too early.")
    return plain


def _too_large(most_body: int) -> Refusal:
    return Refusal(413, f"The body is larger than {most_body} bytes, the most that this server takes.")


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def _wire_form(answer: Answer, *, keep_alive: bool, with_body: bool) -> bytes:
    extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()) if answer.headers else ""
    last = "" if keep_alive else "connection: close\r\n"
    head = (
        f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n"
        f"date: {_date(int(time.time()))}\r\n{extra}{last}\r\n"
    )
    return _STATUS_LINES[answer.status] + head.encode("latin-1") + (answer.body if with_body else b"")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """A moment as HTTP writes it; formatted once a second."""
    return formatdate(second, usegmt=True)
