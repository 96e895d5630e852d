"""SPDY frames: they survive their bytes, in pieces of any size, and nonsense is refused at once."""

import asyncio
import gc
import struct
import zlib
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from fairway.cluster.api import takeover
from fairway.cluster.api.forwarding import channels, spdy
from fairway.cluster.api.forwarding.connecting import Target
from fairway.cluster.api.forwarding.spdy import PING, SYN_REPLY, SYN_STREAM, Frame, Malformed, Reader, Writer
from fairway.cluster.api.forwarding.tunnel import Tunnel
from fairway.kernel.objects.errors import BadRequest

numbers = st.integers(1, 2**31 - 1)
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
headers = st.dictionaries(texts.map(str.lower), texts, max_size=5)
frames = st.one_of(
    st.builds(Frame, st.just(0), numbers, st.binary(max_size=200), last=st.booleans()),
    st.builds(Frame, st.sampled_from([SYN_STREAM, SYN_REPLY]), numbers, headers=headers, last=st.booleans()),
    st.builds(Frame, st.just(PING), numbers),
)


@given(st.lists(frames, max_size=6), st.integers(1, 50))
def test_frames_survive_their_bytes_in_any_pieces(sent: list[Frame], size: int) -> None:
    writer, reader = Writer(), Reader()
    stream = b"".join(map(writer.frame, sent))
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == sent


def test_the_dictionary_is_the_protocols_own() -> None:
    assert (len(spdy.dictionary()), zlib.adler32(spdy.dictionary())) == (1423, 0xE3C6A7C2)


@given(st.binary(max_size=300))
def test_nonsense_is_refused_or_waited_for(data: bytes) -> None:
    reader = Reader()
    try:
        for _ in reader.feed(data):
            pass
    except Malformed as refusal:
        assert str(refusal)


def test_a_bomb_of_headers_is_refused() -> None:
    packed = zlib.compressobj(zdict=spdy.dictionary())
    block = packed.compress(bytes(10_000_000)) + packed.flush(zlib.Z_SYNC_FLUSH)
    payload = struct.pack(">I", 1) + bytes(6) + block
    with pytest.raises(Malformed, match="larger than"):
        list(Reader().feed(struct.pack(">II", 1 << 31 | 3 << 16 | SYN_STREAM, len(payload)) + payload))


@pytest.mark.parametrize("values", [[], ["x"], ["0"], ["70000"], ["1,,b"]])
def test_ports_that_are_none_are_refused(values: list[str]) -> None:
    with pytest.raises(BadRequest, match="ports"):
        channels.ports(values)
    assert channels.ports(["80,81", "82"]) == [80, 81, 82]


async def test_bytes_for_nobody_do_not_hold_up_the_other_streams() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(2))
        await writer.drain()
        writer.close()

    heard, reader, client = asyncio.Event(), Reader(), Writer()

    async def send(data: bytes) -> None:
        if any(frame.payload == b"hi" for frame in reader.feed(data)):
            heard.set()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tunnel = Tunnel(Target("p", "127.0.0.1"), send)

    async def opened(first: int, to: int) -> None:
        for number, kind in ((first, "error"), (first + 2, "data")):
            words = {"streamtype": kind, "port": str(to), "requestid": str(first)}
            await tunnel.feed(client.frame(Frame(SYN_STREAM, number, headers=words)))

    async with server, asyncio.timeout(60):
        await opened(1, 1)  # where nobody listens
        for _ in range(200):
            await tunnel.feed(client.frame(Frame(0, 3, b"x")))
        await opened(5, port)
        await tunnel.feed(client.frame(Frame(0, 7, b"hi")))
        await heard.wait()
        await tunnel.close()


async def test_a_tunnel_forgets_what_has_ended() -> None:
    client, told = Writer(), asyncio.Event()

    async def send(data: bytes) -> None:
        if b"error occurred" in data:
            told.set()

    tunnel = Tunnel(Target("p", "127.0.0.1"), send)
    for number, kind in ((1, "error"), (3, "data")):
        words = {"streamtype": kind, "port": "1", "requestid": "1"}  # where nobody listens
        await tunnel.feed(client.frame(Frame(SYN_STREAM, number, headers=words)))
    (task,) = tunnel._carrying.values()
    async with asyncio.timeout(10):
        await told.wait()
        await asyncio.wait([task])
        while tunnel._carrying:
            await asyncio.sleep(0)


@pytest.mark.parametrize("inward", [True, False])
async def test_who_does_not_read_makes_the_other_side_wait(inward: bool) -> None:
    """Else what it was sent would pile up in the server's memory."""
    moved, piece, pieces = 0, bytes(64 * 1024), 1024
    connections: list[web.BaseRequest] = []

    async def pour(send: Callable[[bytes], Awaitable[None]]) -> None:
        nonlocal moved
        while moved < pieces:
            await send(piece)
            moved += 1

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        taken = await takeover.take(request, {"Upgrade": "bytes", "Connection": "Upgrade"})
        connections.append(request)
        try:
            if not inward:
                await pour(taken.send)
            await asyncio.Event().wait()
        finally:
            taken.close()
        return taken.response

    def held() -> bool:
        request = connections[0]
        assert request.transport is not None
        return not request.transport.is_reading() if inward else request.protocol.writing_paused

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: bytes\r\nConnection: Upgrade\r\n\r\n")
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        await reader.readuntil(b"\r\n\r\n")
        pouring = [tasks.create_task(pour(send))] if inward else []
        while not (connections and held()) and moved < pieces:
            await asyncio.sleep(0)
        assert held() and moved < pieces
        for task in pouring:
            task.cancel()
    writer.transport.abort()
    await runner.cleanup()


async def test_a_client_that_goes_while_its_bytes_are_carried_leaves_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hi")
        await writer.drain()
        writer.close()

    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    gone, reader, client = asyncio.Event(), Reader(), Writer()

    async def send(data: bytes) -> None:
        if gone.is_set() or any(frame.payload == b"hi" for frame in reader.feed(data)):
            gone.set()
            raise ConnectionResetError("the client has gone")

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tunnel = Tunnel(Target("p", "127.0.0.1"), send)
    async with server, asyncio.timeout(10):
        for number, kind in ((1, "error"), (3, "data")):
            words = {"streamtype": kind, "port": str(port), "requestid": "1"}
            await tunnel.feed(client.frame(Frame(SYN_STREAM, number, headers=words)))
        await gone.wait()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=1)
        await tunnel.close()
    gc.collect()
    assert (troubles, [record.message for record in caplog.records]) == ([], [])
