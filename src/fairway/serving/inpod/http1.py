"""The bytes of HTTP/1.1, pure: a block of headers to what it says, an answer to bytes.

What two parsers could read in two ways is refused, because a gateway stands in front: a request must not end
for one of them where it goes on for the other. `wire` has the sockets.
"""

from __future__ import annotations

import re
import time
import zlib
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import unquote

from fairway.serving.inpod.messages import Answer, Refusal

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIRST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/1\.([01])")
_HEADERS = re.compile(rb"(?:" + _TOKEN + rb":[^\r\n\0]*\r\n)*")
_HEADER = re.compile(rb"([^:\r\n]+):([^\r\n]*)\r\n")
_ONLY_ONCE = ("content-length", "transfer-encoding", "host", "content-encoding", "inference-header-content-length")


@dataclass(slots=True)
class Head:
    """A request whose body is being read. `missing` counts its bytes; -1 is a chunked body."""

    method: str
    path: str
    headers: dict[str, str]
    keep_alive: bool
    missing: int


def parse(block: bytes, most_body: int) -> Head:
    """The first line and the headers, each with its line end. Raises Refusal."""
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
    return Head(method, _path(target), headers, keep_alive, _length(headers, most_body))


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
        raise too_large(most_body)
    return int(length)


def decompress(body: bytes, encoding: str, most_body: int) -> bytes:
    """Never more than `most_body` bytes are unpacked. Raises Refusal."""
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
        raise too_large(most_body)
    if not unpacker.eof:
        raise Refusal(400, f"The {encoding} body ends too early.")
    return plain


def too_large(most_body: int) -> Refusal:
    return Refusal(413, f"The body is larger than {most_body} bytes, the most that this server takes.")


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def wire_form(answer: Answer, *, keep_alive: bool, with_body: bool) -> bytes:
    """An answer as it goes onto the socket."""
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
