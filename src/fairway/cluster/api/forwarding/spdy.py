"""SPDY/3.1 as far as port forwarding needs it: frames to and from bytes. No sockets.

A control frame is its version and type (two bytes each), flags (one), length (three) and payload; a data frame is its
stream (four bytes, the first bit clear), flags, length and payload. Header blocks are compressed, all of one direction
in one zlib stream that starts from a fixed dictionary. Flow control is not part of it: kubectl does none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1

_VERSION = 3
_LARGEST_FRAME = 1 << 20
_LARGEST_HEADERS = 64 * 1024
_MOST_HEADERS = 100

# The dictionary of the protocol's definition: words with their lengths, and a tail of further texts.
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status|200 OK|version|HTTP/1.1|url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    "iso-8859-1,utf-,*,enq=0."
)


class Malformed(ValueError):
    """Bytes that are no SPDY; the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `type` is 0 for data; `number` is the stream's, or a ping's."""

    type: int
    number: int = 0
    payload: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    last: bool = False
    """The sender will send no more on the stream."""


class Reader:
    """From the bytes of a connection to frames. Raises Malformed."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=dictionary())

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= 8:
            first, rest = struct.unpack_from(">II", self._buffer)
            length, flags = rest & 0xFFFFFF, rest >> 24
            if length > _LARGEST_FRAME:
                raise Malformed(f"a frame of {length} bytes is larger than {_LARGEST_FRAME}")
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            frame = self._control(first, flags, payload) if first >> 31 else _data(first, flags, payload)
            if frame is not None:
                yield frame

    def _control(self, first: int, flags: int, payload: bytes) -> Frame | None:
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise Malformed(f"version {version} of SPDY is not spoken here")
        headers_at = {SYN_STREAM: 10, SYN_REPLY: 4, HEADERS: 4}.get(kind)
        if kind in (SETTINGS, WINDOW_UPDATE):
            return None
        if len(payload) < (headers_at or 4):
            raise Malformed(f"a control frame of type {kind} is too short")
        number = struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF
        headers = self._headers(payload[headers_at:]) if headers_at else {}
        return Frame(kind, number, headers=headers, last=bool(flags & FIN))

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, _LARGEST_HEADERS)
        except zlib.error as wrong:
            raise Malformed(f"a header block cannot be read: {wrong}") from None
        if self._inflate.unconsumed_tail:
            raise Malformed(f"a header block is larger than {_LARGEST_HEADERS} bytes")
        return _pairs(plain)


class Writer:
    """From frames to the bytes of a connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=dictionary())

    def frame(self, frame: Frame) -> bytes:
        if frame.type == 0:
            return struct.pack(">II", frame.number, _sized(frame, frame.payload)) + frame.payload
        payload = struct.pack(">I", frame.number)
        if frame.type == SYN_STREAM:
            payload += bytes(6)
        if frame.type in (SYN_STREAM, SYN_REPLY, HEADERS):
            payload += self._block(frame.headers)
        elif frame.type in (RST_STREAM, GOAWAY):
            payload += frame.payload or bytes(4)
        head = 1 << 31 | _VERSION << 16 | frame.type
        return struct.pack(">II", head, _sized(frame, payload)) + payload

    def _block(self, headers: Mapping[str, str]) -> bytes:
        plain = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                plain += struct.pack(">I", len(text)) + text
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _sized(frame: Frame, payload: bytes) -> int:
    return (FIN if frame.last else 0) << 24 | len(payload)


def dictionary() -> bytes:
    """What both ends' compression starts from."""
    words = [word for part in _WORDS.split("|") for word in ([part] if part == "200 OK" else part.split())]
    return b"".join(struct.pack(">I", len(word)) + word.encode() for word in words) + _TAIL.encode()


def _data(first: int, flags: int, payload: bytes) -> Frame:
    return Frame(0, first, payload, last=bool(flags & FIN))


def _pairs(plain: bytes) -> dict[str, str]:
    try:
        (count,) = struct.unpack_from(">I", plain)
        if count > _MOST_HEADERS:
            raise Malformed(f"a header block has {count} headers; at most {_MOST_HEADERS} are read")
        at, texts = 4, []
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", plain, at)
            text = plain[at + 4 : at + 4 + length]
            if len(text) != length:
                raise Malformed("a header block ends inside a header")
            texts.append(text.decode("latin-1"))
            at += 4 + length
    except struct.error:
        raise Malformed("a header block ends inside a header") from None
    return dict(zip(texts[::2], texts[1::2], strict=True))
