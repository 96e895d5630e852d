"""HTTP/1.1 byte by byte: what well-behaved and ill-behaved clients send."""

import asyncio
import gzip
from pathlib import Path

import orjson
import pytest

from fairway.serving.inpod import http1
from fairway.serving.inpod.messages import Answer
from fairway.serving.inpod.wire import Connection, Listener

from .conftest import TWO_FLOWERS, Server, serving

BODY = orjson.dumps({"instances": TWO_FLOWERS})
HEAD = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\n"


async def exchange(server: Server, *parts: bytes) -> bytes:
    """Send the parts one by one, then read until the server closes."""
    reader, writer = await asyncio.open_connection(*server.address)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


async def test_pipelined_requests_are_answered_in_order(models: Path) -> None:
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    live = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n"
    async with serving(models / "iris") as server:
        answer = await exchange(server, one * 3 + live + b"\r\n" + one + live + b"Connection: close\r\n\r\n")
    bodies = [part.split(b"\r\n\r\n")[1][:10] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    predicted, alive = b'{"predicti', b'{"live":tr'
    assert bodies == [predicted, predicted, predicted, alive, predicted, alive]


async def test_a_body_in_chunks_and_in_single_bytes(models: Path) -> None:
    chunks = b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:])) + b"0\r\n\r\n"
    whole = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks
    async with serving(models / "iris") as server:
        for parts in ((whole,), tuple(bytes([byte]) for byte in whole)):
            assert (await exchange(server, *parts)).endswith(b'{"predictions":[1,1]}')


async def test_gzip_bodies_are_unpacked_and_bombs_are_not(models: Path) -> None:
    async with serving(models / "iris", "--max_body_bytes=100000") as server:
        path, encoding = "/v1/models/m:predict", {"Content-Encoding": "gzip"}
        assert (await server.post(path, gzip.compress(BODY), **encoding))[0] == 200
        status, answer = await server.post(path, gzip.compress(b" " * 10_000_000), **encoding)
        assert (status, "larger than 100000" in answer["error"]) == (413, True)
        assert (await server.post(path, b"plain", **encoding))[0] == 400
        assert (await server.post(path, BODY, **{"Content-Encoding": "br"}))[0] == 415
        assert (await server.post(path, b" " * 100_001))[0] == 413


async def test_head_has_no_body_and_the_connection_goes_on(models: Path) -> None:
    async with serving(models / "iris") as server:
        head = b"HEAD /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        first, _, second = (await exchange(server, head + last)).partition(b"\r\n\r\n")
    assert b"content-length: 13" in first
    assert second.startswith(b"HTTP/1.1 200 OK")


async def test_a_waiting_client_is_told_to_go_on(models: Path) -> None:
    async with serving(models / "iris") as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        writer.close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbad header: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (HEAD + b"Content-Length: +1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", 413),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_and_closed(models: Path, request_: bytes, status: int) -> None:
    async with serving(models / "iris") as server:
        answer = await exchange(server, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    assert b"connection: close" in head
    assert list(orjson.loads(body)) == ["error"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_frames_an_answer_is_ours_whatever_a_program_says(stream: bool) -> None:
    told = {
        "Content-Length": "99",
        "transfer-encoding": "chunked",
        "Connection": "close",
        "CONTENT-TYPE": "a",
        "x-y": "1",
    }
    answer = Answer(200, b"{}", "text/plain\r\nset-cookie: a=b", told)
    if stream:
        head = http1.stream_head(answer, keep_alive=True, chunks=True)
    else:
        head = http1.wire_form(answer, keep_alive=True, with_body=False)
    lines = [line.partition(b":")[0] for line in head.lower().splitlines()[1:] if line]
    framed = b"transfer-encoding" if stream else b"content-length"
    assert sorted(lines) == sorted([b"content-type", framed, b"date", b"x-y"])
    assert b"set-cookie" not in head


async def test_a_client_that_asks_on_and_reads_nothing_is_not_read_any_more() -> None:
    listener = Listener(lambda call: call.respond(Answer(200, bytes(1 << 16))))
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(listener), "127.0.0.1", 0)
    count, one = 400, b"GET / HTTP/1.1\r\nHost: x\r\nPadding: " + b"x" * 60_000 + b"\r\n\r\n"
    async with listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname()[:2])
        writer.write(one * count)
        transport = writer.transport
        async with asyncio.timeout(60):
            while transport.get_write_buffer_size() and not any(map(_rests, listener.connections)):
                await asyncio.sleep(0.005)
        assert transport.get_write_buffer_size(), "all of it was taken in"
        for _ in range(count):  # and when it reads, it has all its answers
            async with asyncio.timeout(60):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(1 << 16)
        writer.close()


def _rests(connection: Connection) -> bool:
    return not connection._transport.is_reading()
