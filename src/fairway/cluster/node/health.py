"""The question of a gRPC probe, `grpc.health.v1.Health/Check`, as the few frames of HTTP/2 that it takes.

A library for gRPC would be a large dependency for one call with one answer. What is read of the answer is its message;
headers are passed over, so that nothing of their compression is needed.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GO_AWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_STREAM = 1
_LARGEST = 1 << 20
_STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_NO_SERVICE = "it has no health service, or none of that name"


class Unhealthy(Exception):
    """The text is the reason."""


async def check(host: str, port: int, service: str) -> None:
    """Raises Unhealthy, and OSError where nobody listens."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_PREFACE + _frame(_SETTINGS) + _frame(_HEADERS, _headers(f"{host}:{port}"), _END_HEADERS, _STREAM))
        writer.write(_frame(_DATA, _message(service), _END_STREAM, _STREAM))
        state = await _state(reader, writer)
    finally:
        writer.close()
    if state != "SERVING":
        raise Unhealthy(f'service unhealthy (responded with "{state}")')


async def _state(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    said = b""
    async with aclosing(_frames(reader)) as frames:
        async for kind, flags, payload in frames:
            if kind == _SETTINGS and not flags & _ACK:
                writer.write(_frame(_SETTINGS, b"", _ACK))
            elif kind == _PING and not flags & _ACK:
                writer.write(_frame(_PING, payload, _ACK))
            elif kind in (_RESET, _GO_AWAY):
                raise Unhealthy("the server broke the call off")
            elif kind == _DATA:
                said += payload
                if len(said) >= 5 and len(said) >= 5 + int.from_bytes(said[1:5]):
                    return _read(said[5 : 5 + int.from_bytes(said[1:5])])
            if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                raise Unhealthy(f"the server gave no answer: {_NO_SERVICE}")
    raise Unhealthy("the server closed the connection: does it speak gRPC without TLS?")


async def _frames(reader: asyncio.StreamReader) -> AsyncGenerator[tuple[int, int, bytes], None]:
    """(type, flags, payload) until the connection ends."""
    try:
        while True:
            head = await reader.readexactly(9)
            length = int.from_bytes(head[:3])
            if length > _LARGEST:
                raise Unhealthy("the server does not speak gRPC")
            yield head[3], head[4], await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return


def _frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _headers(authority: str) -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": "kube-probe/1.36",
    }
    # Each as a literal that nobody remembers.
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _message(service: str) -> bytes:
    name = service.encode()[:127]
    body = b"\x0a" + bytes([len(name)]) + name if name else b""
    return b"\0" + len(body).to_bytes(4) + body


def _read(message: bytes) -> str:
    """The state in an answer; one that says nothing says the first."""
    number = message[1] if len(message) > 1 and message[0] == 8 else 0
    return _STATES[number] if number < len(_STATES) else str(number)
