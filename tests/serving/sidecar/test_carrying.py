"""Requests and answers go through as they came, in pieces, in both directions, whoever is slow or leaves."""

import asyncio
import contextlib
import gzip
import io

import aiohttp
import pytest
from aiohttp import web

from fairway.serving.inpod.relay.framing import AnswerHead
from fairway.serving.inpod.relay.outbound import Origin

from .conftest import before, listening, until


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.Response(status=int(request.query.get("status", "200")), body=body, headers={"X-Path": request.path_qs})


async def test_bodies_headers_and_statuses_are_unchanged() -> None:
    async with listening(echo) as port, before(port) as sidecar:
        for status, body in ((200, b"x" * 3_000_000), (404, b"no"), (500, b"")):
            url = f"{sidecar.url}/a%20b/c?status={status}&q=%26"
            async with sidecar.session.post(url, data=io.BytesIO(body)) as answer:
                assert (answer.status, await answer.read()) == (status, body)
                assert answer.headers["X-Path"] == f"/a%20b/c?status={status}&q=%26"


async def test_an_answer_is_seen_piece_by_piece_while_it_is_made() -> None:
    seen = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first")
        await asyncio.wait_for(seen.wait(), 60)
        await answer.write(b"second")
        return answer

    async with (
        listening(stream) as port,
        before(port) as sidecar,
        sidecar.session.get(f"{sidecar.url}/events") as answer,
    ):
        assert await answer.content.readany() == b"first"
        seen.set()
        assert await answer.content.read() == b"second"


async def test_a_request_reaches_the_container_while_it_is_sent() -> None:
    begun, parts = asyncio.Event(), []

    async def receive(request: web.Request) -> web.Response:
        async for part in request.content.iter_any():
            parts.append(part)
            begun.set()
        return web.Response(text="all")

    async def body():  # type: ignore[no-untyped-def]
        yield b"one"
        await asyncio.wait_for(begun.wait(), 60)
        yield b"two"

    async with (
        listening(receive) as port,
        before(port) as sidecar,
        sidecar.session.post(f"{sidecar.url}/", data=body()) as answer,
    ):
        assert await answer.text() == "all"
    assert b"".join(parts) == b"onetwo"


async def test_a_client_that_leaves_takes_its_request_back() -> None:
    at_work, cancelled = asyncio.Event(), asyncio.Event()

    async def long(request: web.Request) -> web.Response:
        at_work.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return web.Response()

    async with listening(long) as port, before(port) as sidecar:
        asking = asyncio.create_task(sidecar.post("/", b"{}"))
        await asyncio.wait_for(at_work.wait(), 60)
        asking.cancel()
        await asyncio.wait_for(cancelled.wait(), 60)
        assert (await sidecar.metrics())["fairway_inference_requests_inside"] == 0


async def test_a_slow_reader_holds_the_container_and_not_the_memory() -> None:
    sent = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(200):
            await answer.write(b"x" * 1_000_000)
            sent += 1
        return answer

    async with listening(pour) as port, before(port) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address, limit=1000)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readline()
        await asyncio.sleep(0.3)
        assert sent < 100
        writer.close()


class Sender:
    """Of a request that nobody answers; remembers whether it is to wait."""

    def __init__(self) -> None:
        self.waits = False

    def origin_slow(self, slow: bool) -> None:
        self.waits = slow

    def head(self, head: AnswerHead) -> None: ...
    def piece(self, raw: bytes) -> None: ...
    def ended(self) -> None: ...
    def failed(self, why: str, *, sent: bool) -> None: ...


async def test_a_container_that_reads_slowly_from_the_start_holds_its_sender() -> None:
    accepted = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
    count = 32
    listening = await asyncio.start_server(lambda *ends: accepted.put_nowait(ends), "127.0.0.1", 0, limit=1)
    async with listening:
        origin, sender = Origin(*listening.sockets[0].getsockname()[:2]), Sender()
        sending = origin.send("POST", b"", sender)
        for _ in range(count):  # more than the kernel keeps, before there is a connection
            sending.write(bytes(1 << 20))
        reader, writer = await asyncio.wait_for(accepted.get(), 60)
        for _ in range(20):
            await asyncio.sleep(0)
        assert sender.waits
        async with asyncio.timeout(60):
            await reader.readexactly(count << 20)
        await until(lambda: not sender.waits)
        sending.give_up()
        writer.close()
        await writer.wait_closed()


async def test_an_answer_that_breaks_off_is_no_whole_answer() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport
        request.transport.abort()
        return answer

    async with listening(broken) as port, before(port) as sidecar:
        with pytest.raises(aiohttp.ClientError):
            async with sidecar.session.get(sidecar.url) as answer:
                await answer.read()


async def test_connections_that_the_container_closed_meanwhile_are_no_failure() -> None:
    """The container closes each connection after its answer, without saying so beforehand."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with before(server.sockets[0].getsockname()[1]) as sidecar:
        for _ in range(50):
            assert (await sidecar.post("/", b""))[0] == 200
    server.close()


async def test_no_container_is_503_and_a_container_that_dies_502() -> None:
    async with before(1) as sidecar:
        status, answer = await sidecar.post("/", b"{}")
        assert (status, "cannot be reached" in answer["error"]) == (503, True)

    async def dies(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with listening(dies) as port, before(port) as sidecar:
        assert (await sidecar.post("/", b"{}"))[0] == 502


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
        b"GET /\r\n\r\n",
    ],
)
async def test_what_two_parsers_could_read_in_two_ways_is_refused(request_: bytes) -> None:
    async with listening(echo) as port, before(port) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(request_)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_request_that_breaks_after_its_answer_has_begun_gets_no_second_one() -> None:
    async def at_once(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"begun")
        await request.read()
        return answer

    async with listening(at_once) as port, before(port) as sidecar:
        reader, writer = await asyncio.open_connection(*sidecar.address)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        async with asyncio.timeout(60):
            told = await reader.readuntil(b"begun")
            writer.write(b"no size\r\n")
            with contextlib.suppress(ConnectionError):
                told += await reader.read()
        assert (told.count(b"HTTP/1.1"), told.startswith(b"HTTP/1.1 200")) == (1, True)
        writer.close()


async def test_every_split_of_a_chunked_request_is_the_same_request() -> None:
    whole = (
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2;note=1\r\nde\r\n0\r\n\r\n"
    )
    async with listening(echo) as port, before(port) as sidecar:
        for size in (1, 7, len(whole)):
            reader, writer = await asyncio.open_connection(*sidecar.address)
            for start in range(0, len(whole), size):
                writer.write(whole[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            assert (await asyncio.wait_for(reader.read(), 60)).endswith(b"abcde")
            writer.close()


async def test_headers_of_one_connection_stay_there_and_gzip_passes() -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.json_response([sorted(name.lower() for name in request.headers), len(await request.read())])

    async with listening(tell) as port, before(port) as sidecar:
        headers = {"Connection": "keep-alive, X-Mine", "X-Mine": "1", "X-Kept": "2", "Content-Encoding": "gzip"}
        _, (names, _) = await sidecar.post("/", gzip.compress(b"{}"), **headers)
        assert "x-kept" in names
        assert "x-mine" not in names


async def test_what_is_under_way_ends_before_the_sidecar_does() -> None:
    go = asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        await go.wait()
        return web.json_response("done")

    async with listening(wait) as port, before(port) as sidecar:
        asking = asyncio.create_task(sidecar.post("/", b""))
        await until(lambda: not asking.done())
        while (await sidecar.metrics())["fairway_inference_requests_inside"] < 1:
            await asyncio.sleep(0.005)
        sidecar.end.set()
        await asyncio.sleep(0.05)
        assert not sidecar.done.done()
        go.set()
        assert await asking == (200, "done")
        await asyncio.wait_for(sidecar.done, 60)
