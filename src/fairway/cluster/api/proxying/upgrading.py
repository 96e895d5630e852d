"""A proxied connection: the request for an upgrade goes on, and after the answer 101 both sides' bytes do.

What the bytes mean is nobody's business here: WebSockets, or anything else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress

from aiohttp import web
from multidict import CIMultiDict

from fairway.cluster.api import takeover
from fairway.cluster.api.proxying.targets import Target
from fairway.kernel.objects import errors

_WITHIN = 30.0
_CHUNK = 64 * 1024
_LARGEST_HEAD = 64 * 1024
_LARGEST_REFUSAL = 1024 * 1024
_BROKEN = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)


async def answer(request: web.BaseRequest, target: Target, path: str, headers: CIMultiDict[str]) -> web.StreamResponse:
    """Raises ApiError where nobody answers."""
    try:
        async with asyncio.timeout(_WITHIN):
            reader, writer = await asyncio.open_connection(
                target.host,
                target.port,
                ssl=(target.tls or _unchecked()) if target.scheme == "https" else None,
                server_hostname=target.server_name,
                limit=_LARGEST_HEAD,
            )
            writer.write(_asked(request, path, headers))
            status, reason, found = _head(await reader.readuntil(b"\r\n\r\n"))
    except _BROKEN as failure:
        raise errors.Unavailable(f"error trying to reach service: {failure}") from failure
    try:
        if status != 101:
            return await _refused(reader, status, reason, found)
        taken = await takeover.take(request, found)
        try:
            await _carry(taken, reader, writer)
        finally:
            taken.close()
        return taken.response
    finally:
        writer.close()


async def _carry(taken: takeover.Taken, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side goes."""

    async def inward() -> None:
        async for piece in taken.pieces():
            writer.write(piece)
            await writer.drain()

    async def outward() -> None:
        while piece := await reader.read(_CHUNK):
            await taken.send(piece)

    both = [asyncio.create_task(inward()), asyncio.create_task(outward())]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        with suppress(ConnectionError):
            await asyncio.gather(*both, return_exceptions=True)


def _asked(request: web.BaseRequest, path: str, headers: CIMultiDict[str]) -> bytes:
    lines = [f"{request.method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Upgrade: {request.headers['Upgrade']}", "Connection: Upgrade", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _head(data: bytes) -> tuple[int, str, CIMultiDict[str]]:
    """Raises ValueError for what is no answer of HTTP."""
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    _, code, *reason = first.split(" ", 2)
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip())
    return int(code), "".join(reason), headers


async def _refused(
    reader: asyncio.StreamReader, status: int, reason: str, headers: CIMultiDict[str]
) -> web.StreamResponse:
    """An answer like any other, where the other side does not change the protocol. Raises Unavailable where it breaks
    off."""
    try:
        async with asyncio.timeout(_WITHIN):
            body = await _body(reader, headers)
    except _BROKEN as failure:
        raise errors.Unavailable(f"error trying to reach service: {failure}") from failure
    kept = {
        name: value
        for name, value in headers.items()
        if name.lower() in ("content-type", "location", "www-authenticate")
    }
    return web.Response(status=status, reason=reason, headers=kept, body=body)


async def _body(reader: asyncio.StreamReader, headers: CIMultiDict[str]) -> bytes:
    """What has neither a length nor chunks lasts until its sender closes."""
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return b"".join([piece async for piece in _chunks(reader)])
    if length := headers.get("Content-Length"):
        return await reader.readexactly(min(int(length), _LARGEST_REFUSAL))
    found = b""
    while len(found) < _LARGEST_REFUSAL and (piece := await reader.read(_CHUNK)):
        found += piece
    return found


async def _chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    left = _LARGEST_REFUSAL
    while size := int((await reader.readline()).partition(b";")[0], 16):
        left -= size
        if left < 0:
            raise ValueError(f"a refusal has more than {_LARGEST_REFUSAL} bytes")
        yield (await reader.readexactly(size + 2))[:-2]


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
