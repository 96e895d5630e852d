"""Clients of an HTTP server: a closed loop, in which each sends its next request when it has its answer; an open one,
which sends at a fixed rate whatever comes back; and somebody who polls."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.measuring import quantile

_PATIENCE = 30.0


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
    return asyncio.run(asking(port, message, clients, seconds))


async def asking(port: int, message: bytes, clients: int, seconds: float) -> Load:
    times: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        while (begin := time.perf_counter()) < end:
            if await _exchange(reader, writer, message):
                times.append(time.perf_counter() - begin)
            else:
                errors += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    if not times:
        raise OSError("no request was answered with 200")
    return Load(quantile(times, 0.5), quantile(times, 0.99), len(times) / seconds, errors)


def opened(port: int, message: bytes, *, rate: float, seconds: float) -> Load:
    """A request's time counts from when it was due, so that a server that falls behind cannot hide it."""
    return asyncio.run(_opened(port, message, rate, seconds))


async def _opened(port: int, message: bytes, rate: float, seconds: float) -> Load:
    times: list[float] = []
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    errors = 0
    begin = time.perf_counter()

    async def ask(due: float) -> None:
        nonlocal errors
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        try:
            answered = await asyncio.wait_for(_exchange(reader, writer, message), _PATIENCE)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            answered = False
            writer.close()
        else:
            idle.append((reader, writer))
        if answered:
            times.append(time.perf_counter() - due)
        else:
            errors += 1

    async with asyncio.TaskGroup() as asking:
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asking.create_task(ask(due))
    for _, writer in idle:
        writer.close()
    if not times:
        raise OSError("no request was answered with 200")
    return Load(quantile(times, 0.5), quantile(times, 0.99), len(times) / (time.perf_counter() - begin), errors)


async def polled(port: int, path: str, end: asyncio.Event) -> list[float]:
    """Seconds of each look at `path`, fifty of them a second, until `end`."""
    message = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    while not end.is_set():
        begin = time.perf_counter()
        await _exchange(reader, writer, message)
        times.append(time.perf_counter() - begin)
        await asyncio.sleep(0.02)
    writer.close()
    return times


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> bool:
    """Whether the answer was 200."""
    writer.write(message)
    answer = await reader.readuntil(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in answer.lower():
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        length = answer.lower().split(b"content-length:")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
    return answer.startswith(b"HTTP/1.1 200")


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
