"""Counts the streams of an HTTP/2 connection by looking at the frames that pass, without reading what is in them.

A stream begins with the client's HEADERS and ends with the server's END_STREAM or with a reset of either side. Also the
few frames that say to a client of gRPC that its call cannot be answered. Pure.
"""

from __future__ import annotations

from enum import Enum
from urllib.parse import quote

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_DATA, _HEADERS, _RESET, _SETTINGS, _GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x7
_END_STREAM, _ACKNOWLEDGED, _END_HEADERS = 0x1, 0x1, 0x4
_STATUS_200 = b"\x88"  # of the static table of HPACK
_UNAVAILABLE = "14"


class Side(Enum):
    CLIENT = "client"
    SERVER = "server"


class Streams:
    def __init__(self) -> None:
        self.open: set[int] = set()
        self._newest = 0
        self._rest = {Side.CLIENT: bytearray(), Side.SERVER: bytearray()}
        self._skip = {Side.CLIENT: len(PREFACE), Side.SERVER: 0}
        """Bytes of each side that are no heads of frames."""

    def feed(self, side: Side, data: bytes) -> tuple[int, int]:
        """How many streams began and ended in these bytes."""
        began = ended = 0
        rest = self._rest[side]
        rest += data
        while True:
            skipped = min(self._skip[side], len(rest))
            del rest[:skipped]
            self._skip[side] -= skipped
            if self._skip[side] or len(rest) < _HEAD:
                return began, ended
            kind, flags = rest[3], rest[4]
            stream = int.from_bytes(rest[5:9], "big") & 0x7FFFFFFF
            self._skip[side] = _HEAD + int.from_bytes(rest[:3], "big")
            if side is Side.CLIENT and kind == _HEADERS and stream > self._newest:
                self._newest = stream
                self.open.add(stream)
                began += 1
            elif self._ends(side, kind, flags) and stream in self.open:
                self.open.discard(stream)
                ended += 1

    @staticmethod
    def _ends(side: Side, kind: int, flags: int) -> bool:
        if kind == _RESET:
            return True
        return side is Side.SERVER and kind in (_DATA, _HEADERS) and bool(flags & _END_STREAM)


def settings(*, acknowledged: bool = False) -> bytes:
    return _frame(_SETTINGS, _ACKNOWLEDGED if acknowledged else 0, 0, b"")


def unavailable(stream: int, reason: str) -> bytes:
    """The whole answer to a call over gRPC: UNAVAILABLE, and why."""
    spoken = "".join(one if " " <= one <= "~" and one != "%" else quote(one, safe="") for one in reason[:500])
    fields = (("content-type", "application/grpc"), ("grpc-status", _UNAVAILABLE), ("grpc-message", spoken))
    block = _STATUS_200 + b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)
    return _frame(_HEADERS, _END_STREAM | _END_HEADERS, stream, block)


def goaway(newest: int) -> bytes:
    """No more streams after this one."""
    return _frame(_GOAWAY, 0, 0, newest.to_bytes(4, "big") + bytes(4))


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def _text(text: str) -> bytes:
    """As HPACK writes a text that it does not compress."""
    body = text.encode()
    length, rest = bytearray(), len(body)
    if rest < 127:
        return bytes((rest,)) + body
    rest -= 127
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes((127, *length, rest)) + body
