"""Where a message of HTTP/1.1 ends, told from its bytes as they pass, and what of its head is carried on. Pure.

A body is measured and not taken apart: its bytes go on as they came, chunks with their sizes. Requests are judged by
`http1`, as strictly as the model server judges them; this is for what follows their head, and for answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

CHUNKED, UNTIL_CLOSE = -1, -2
MOST_HEAD = 64 * 1024

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([^\r\n]*))?")
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*\r\n")
_OF_ONE_CONNECTION = (b"connection", b"keep-alive", b"proxy-connection", b"expect", b"upgrade", b"te")


class Malformed(Exception):
    """Bytes of which nobody can say where the message ends."""


class Body:
    """A body that passes. `copy` gets what is in it, without the sizes of chunks."""

    __slots__ = ("_chunked", "_in_trailer", "_left", "_line", "_strict", "copy", "done")

    def __init__(self, length: int, *, strict: bool = False) -> None:
        self._chunked = length == CHUNKED
        self._left = length if length >= 0 else 0
        self._line = b""
        self._in_trailer = False
        self._strict = strict  # a request may have no trailers: two parsers might read them in two ways
        self.copy: Callable[[bytes], None] | None = None
        self.done = length == 0

    @property
    def until_close(self) -> bool:
        return not self.done and not self._chunked and self._left == 0

    def take(self, data: bytes) -> int:
        """How many of these bytes belong to the body. Raises Malformed."""
        if self._chunked:
            return self._take_chunks(data)
        if self.until_close:
            self._copy(data)
            return len(data)
        taken = min(self._left, len(data))
        self._left -= taken
        self._copy(data if taken == len(data) else data[:taken])
        self.done = not self._left
        return taken

    def _copy(self, data: bytes) -> None:
        if self.copy and data:
            self.copy(data)

    def _take_chunks(self, data: bytes) -> int:
        position = 0
        while position < len(data) and not self.done:
            if self._left > 2:  # the two bytes of the line end come after the chunk
                step = min(self._left - 2, len(data) - position)
                self._copy(data[position : position + step])
                self._left -= step
                position += step
                continue
            end = data.find(b"\n", position) + 1 or len(data)
            self._line += data[position:end]
            position = end
            if len(self._line) > 4096:
                raise Malformed("a chunk has no size")
            if self._line.endswith(b"\n"):
                line, self._line = self._line, b""
                self._take_line(line)
        return position

    def _take_line(self, line: bytes) -> None:
        if self._in_trailer:
            self.done = line == b"\r\n"
            if self._strict and not self.done:
                raise Malformed("the body has trailers")
        elif self._left == 2:
            if line != b"\r\n":
                raise Malformed("a chunk is longer than its size says")
            self._left = 0
        else:
            found = _CHUNK_SIZE.fullmatch(line)
            if not found:
                raise Malformed("a chunk has a size that is no hexadecimal number")
            size = int(found[1], 16)
            self._left, self._in_trailer = size + 2 if size else 0, size == 0


@dataclass(slots=True)
class AnswerHead:
    """`headers` have lower-case names; `lines` are the header lines as they came, without those of one connection."""

    status: int
    reason: bytes
    headers: dict[str, str]
    lines: bytes
    length: int
    keep_alive: bool


def answer_head(block: bytes, method: str) -> AnswerHead:
    """The status line and the headers, each with its line end. Raises Malformed."""
    line, _, rest = block.partition(b"\r\n")
    first = _STATUS.fullmatch(line)
    pairs = _LINE.findall(rest)
    if not first or sum(len(match[0]) for match in _LINE.finditer(rest)) != len(rest):
        raise Malformed("the answer is not HTTP/1.1")
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in pairs}
    status = int(first[2])
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection if first[1] == b"1" else "keep-alive" in connection
    length = _answer_length(status, headers, method)
    lines = without(rest, _OF_ONE_CONNECTION)
    return AnswerHead(status, first[3] or b"", headers, lines, length, keep_alive and length != UNTIL_CLOSE)


def _answer_length(status: int, headers: dict[str, str], method: str) -> int:
    if method == "HEAD" or status < 200 or status in (204, 304):
        return 0
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        return CHUNKED
    length = headers.get("content-length")
    if length is None:
        return UNTIL_CLOSE
    if not (length.isascii() and length.isdigit()) or len(length) > 15:
        raise Malformed("the answer's Content-Length is no number")
    return int(length)


def request_lines(block: bytes) -> bytes:
    """A request's head as it goes on: the first line, and the headers that are not of one connection."""
    line, separator, rest = block.partition(b"\r\n")
    return line + separator + without(rest, _OF_ONE_CONNECTION)


def without(lines: bytes, names: Iterable[bytes]) -> bytes:
    """Header lines without those of these names (in lower case), and without what their Connection header names."""
    if not _CONCERNED.search(lines):
        return lines
    pairs = [(match[0], match[1].lower(), match[2]) for match in _LINE.finditer(lines)]
    named = {word.strip().lower() for _, name, value in pairs if name == b"connection" for word in value.split(b",")}
    unwanted = {*names, *(named - _NEVER_DROPPED)}
    return b"".join(line for line, name, _ in pairs if name not in unwanted)


_CONCERNED = re.compile(rb"(?im)^(?:" + b"|".join(_OF_ONE_CONNECTION) + rb"):")
_NEVER_DROPPED = {b"content-length", b"transfer-encoding", b"host"}
