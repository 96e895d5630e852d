"""A door before the API server, where the suite's administrator gets the owner's token: the suite's own is a fixed one.

It is raw: the head of a request is read, its Authorization replaced, and from then on bytes go both ways, so that
connections which are taken over (exec, port-forward) pass as they are. Each connection carries one request. Who comes
with another token, or with none, is let through as who he is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

ADMINISTRATOR = b"Bearer admin-token"
"""Upstream's `hack/testdata/auth-tokens.csv`."""
_MOST = 1 << 16


@asynccontextmanager
async def opened(port: int, client: ssl.SSLContext, server: ssl.SSLContext, token: str) -> AsyncIterator[int]:
    """Gives the door's port. `port` is the server's; `client` trusts it, `server` is what the door shows."""
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
                outside.write(with_token(head, token))
                await _both_ways((reader, outside), (inside, writer))
            finally:
                writer.close()

    door = await asyncio.start_server(enter, "127.0.0.1", 0, ssl=server)
    try:
        yield door.sockets[0].getsockname()[1]
    finally:
        door.close()
        for task in inside_now:
            task.cancel()
        await asyncio.gather(*inside_now, return_exceptions=True)


def with_token(head: bytes, token: str) -> bytes:
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    taken_over = any(name.lower() == b"upgrade" for name, _ in headers)
    kept = [first]
    for name, value in headers:
        if name.lower() == b"authorization" and value == ADMINISTRATOR:
            kept.append(b"Authorization: Bearer " + token.encode())
        elif taken_over or name.lower() != b"connection":
            kept.append(name + b": " + value)
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
