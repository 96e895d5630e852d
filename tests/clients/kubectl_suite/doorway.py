"""A door before the API server that adds the owner's token: the suite's kubectl comes without one, or with a fixed one.

It is raw: the head of a request is read, its Authorization replaced, and from then on bytes go both ways, so that
connections which are taken over (exec, port-forward) pass as they are. Each connection carries one request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_MOST = 1 << 16


@dataclass(frozen=True)
class Doors:
    plain: int
    secure: int


@asynccontextmanager
async def opened(port: int, client: ssl.SSLContext, server: ssl.SSLContext, token: str) -> AsyncIterator[Doors]:
    """`port` is the API server's, on loopback; `client` trusts it, `server` is what the secure door shows."""
    inside_now: set[asyncio.Task[None]] = set()

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            inside_now.add(task)
            task.add_done_callback(inside_now.discard)
        # A connection that is cancelled at the end is no news; asyncio would tell of it.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                inside, outside = await asyncio.open_connection("127.0.0.1", port, ssl=client)
                outside.write(_with_token(head, token))
                await _both_ways((reader, outside), (inside, writer))
            finally:
                writer.close()

    plain = await asyncio.start_server(enter, "127.0.0.1", 0)
    secure = await asyncio.start_server(enter, "127.0.0.1", 0, ssl=server)
    try:
        yield Doors(plain.sockets[0].getsockname()[1], secure.sockets[0].getsockname()[1])
    finally:
        plain.close()
        secure.close()
        for task in inside_now:
            task.cancel()
        await asyncio.gather(*inside_now, return_exceptions=True)


def _with_token(head: bytes, token: str) -> bytes:
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    names = [line.partition(b":")[0].strip().lower() for line in lines]
    taken_over = b"upgrade" in names
    dropped = {b"authorization"} if taken_over else {b"authorization", b"connection"}
    kept = [line for line, name in zip(lines, names, strict=True) if name not in dropped]
    kept.append(b"Authorization: Bearer " + token.encode())
    if not taken_over:
        kept.append(b"Connection: close")
    return b"\r\n".join(kept) + b"\r\n\r\n"


async def _both_ways(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Until the server's end is done: a client that has said all may still listen."""
    up, down = (asyncio.ensure_future(_copy(*way)) for way in ways)
    try:
        await down
    finally:
        up.cancel()
        down.cancel()
        for _, writer in ways:
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_MOST):
            writer.write(data)
            await writer.drain()
