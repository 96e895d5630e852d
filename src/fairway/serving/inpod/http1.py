"""The bytes of HTTP/1.1, pure: a block of headers to what it says, an answer to bytes.

What two parsers could read in two ways is refused, because a gateway stands in front: a request must not end
for one of them where it goes on for the other. `wire` has the sockets.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Mapping
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
OCTETS = "application/octet-stream"
_OURS = ("content-type", "content-length", "transfer-encoding", "connection", "keep-alive", "date")
_ONLY_ONCE = ("content-length", "transfer-encoding", "host", "content-encoding", "inference-header-content-length")


@dataclass(slots=True)
class Head:
    """A request whose body is being read. `missing` counts its bytes; -1 is a chunked body. `chunks`: the client
    understands an answer in chunks, as one of HTTP/1.0 does not."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    keep_alive: bool
    missing: int
    chunks: bool


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
    path, query = _path(target)
    return Head(method, path, query, headers, keep_alive, _length(headers, most_body), minor == b"1")


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


def _path(target: str) -> tuple[str, str]:
    """The decoded path and the query; a proxy may have sent the whole URL."""
    if not target.startswith("/"):
        _, separator, rest = target.partition("://")
        target = "/" + rest.partition("/")[2] if separator else target
    path, _, query = target.partition("?")
    return (unquote(path) if "%" in path else path), query


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
    return b"".join(wire_parts(answer, keep_alive=keep_alive, with_body=with_body))


def wire_parts(answer: Answer, *, keep_alive: bool, with_body: bool) -> list[bytes | memoryview]:
    """The same without copying its large parts together."""
    size = len(answer.body) + sum(len(part) for part in answer.tail)
    head = _head_of(answer, f"content-length: {size}\r\n", keep_alive=keep_alive)
    if not with_body:
        return [head]
    return [head + answer.body, *answer.tail]


def stream_head(answer: Answer, *, keep_alive: bool, chunks: bool) -> bytes:
    """What stands before a body whose length nobody knows: it comes in chunks, or ends with the connection."""
    return _head_of(answer, "transfer-encoding: chunked\r\n" if chunks else "", keep_alive=keep_alive)


def chunk(data: bytes) -> bytes:
    """A piece of a body in chunks; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head_of(answer: Answer, length: str, *, keep_alive: bool) -> bytes:
    extra = _extra(answer.headers) if answer.headers else ""
    last = "" if keep_alive else "connection: close\r\n"
    kind = answer.content_type
    kind = kind if "\n" not in kind and "\r" not in kind else OCTETS
    head = f"content-type: {kind}\r\n{length}date: {_date(int(time.time()))}\r\n{extra}{last}\r\n"
    return _status_line(answer.status) + head.encode("latin-1", "replace")


def _extra(headers: Mapping[str, str]) -> str:
    """The lines of other headers. What a program hands on of somebody's answer may have said where that one ends."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() not in _OURS]
    extra = "".join(lines)
    if "\r" in extra.replace("\r\n", "") or extra.count("\n") != len(lines):
        return ""  # a value with a line end in it would be a header of somebody else's making
    return extra


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n".encode()


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """A moment as HTTP writes it; formatted once a second."""
    return formatdate(second, usegmt=True)
