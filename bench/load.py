"""A closed loop of clients against an HTTP server: each sends its next request when it has its answer."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.measuring import quantile


@dataclass(frozen=True)
class Load:
    """What the clients saw. `rate` is answers with 200 in a second."""

    median: float
    slowest: float
    """The 99th of a hundred."""
    rate: float
    errors: int = 0


def request(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers]
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


def closed(port: int, message: bytes, *, clients: int, seconds: float) -> Load:
    """Raises OSError where nothing was answered."""
    return asyncio.run(_closed(port, message, clients, seconds))


async def _closed(port: int, message: bytes, clients: int, seconds: float) -> Load:
    times: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        while (begin := time.perf_counter()) < end:
            writer.write(message)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().split(b"content-length:")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            if answer.startswith(b"HTTP/1.1 200"):
                times.append(time.perf_counter() - begin)
            else:
                errors += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    if not times:
        raise OSError("no request was answered with 200")
    return Load(quantile(times, 0.5), quantile(times, 0.99), len(times) / seconds, errors)


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """This process, and what it starts, on one core, where there are several."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[number % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
