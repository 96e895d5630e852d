"""Requests through the activator's doors: held, forwarded piece by piece, and refused where nobody will answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from fairway.kernel.clock import SystemClock
from fairway.kernel.objects.meta import Key
from fairway.serving.scaling.activator import peers
from fairway.serving.scaling.activator.activator import Activator, Port
from fairway.serving.scaling.activator.http1 import Http1
from fairway.serving.scaling.activator.room import Room

KEY: Key = ("default", "iris")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Doors:
    activator: Activator
    url: str
    session: aiohttp.ClientSession
    woken: list[Key] = field(default_factory=list)

    def tell(self, *pods: str, limit: int = 0, patience: float = 5.0, broken: str = "") -> None:
        self.activator.tell(KEY, pods, limit=limit, patience=patience, broken=broken)

    @property
    def waiting(self) -> int:
        return self.activator.look(KEY)[1]


@asynccontextmanager
async def _pod(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(web.Server(handler), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def _doors(target: int, *, http2: bool = False) -> AsyncGenerator[Doors, None]:
    woken: list[Key] = []
    activator, ready = Activator(SystemClock(), woken.append), asyncio.Event()
    running = asyncio.create_task(activator.run(ready.set))
    await ready.wait()
    number = activator.open(KEY, [Port("http", target, http2)])["http"]
    try:
        async with aiohttp.ClientSession() as session:
            yield Doors(activator, f"http://127.0.0.1:{number}", session, woken)
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def _echo(request: web.BaseRequest) -> web.StreamResponse:
    body = await request.read()
    told = {"method": request.method, "path": request.raw_path, "length": len(body), "x": request.headers.get("X-A")}
    return web.json_response(told, status=418, headers={"X-B": "b"})


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_request_wakes_its_service_and_is_answered_when_a_pod_is_there() -> None:
    async with _pod(_echo) as target, _doors(target) as doors:
        doors.tell()
        asked = asyncio.create_task(
            doors.session.post(f"{doors.url}/v1/a%2Fb:predict?q=%20", data=b"x" * 300_000, headers={"X-A": "a"})
        )
        await _until(lambda: doors.waiting == 1)
        assert doors.woken == [KEY]
        assert not asked.done()
        doors.tell("127.0.0.1")
        async with await asked as answer:
            assert (answer.status, answer.headers["X-B"]) == (418, "b")
            told = {"method": "POST", "path": "/v1/a%2Fb:predict?q=%20", "length": 300_000, "x": "a"}
            assert await answer.json() == told
        assert doors.activator.look(KEY)[0].left > 0


async def test_bodies_stream_both_ways() -> None:
    async def upper(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece.upper())
        return response

    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await told.get():
            yield piece

    async with _pod(upper) as target, _doors(target) as doors:
        doors.tell("127.0.0.1")
        told.put_nowait(b"first")
        async with doors.session.post(doors.url, data=pieces()) as answer:
            assert await answer.content.readany() == b"FIRST"  # answered before the question has ended
            told.put_nowait(b"second")
            assert await answer.content.readany() == b"SECOND"
            told.put_nowait(b"")
            assert await answer.content.readany() == b""


async def test_who_waits_too_long_is_told_so() -> None:
    async with _doors(1) as doors:
        doors.tell(patience=0.05)
        async with doors.session.get(doors.url) as answer:
            assert answer.status == 503
            assert "no pod that answers" in (await answer.json())["error"]


async def test_a_pod_that_takes_too_long_is_given_up() -> None:
    async def never(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with _pod(never) as target, _doors(target) as doors:
        doors.tell("127.0.0.1", patience=0.5)
        async with doors.session.get(doors.url) as answer:
            assert answer.status == 504


async def test_a_service_that_does_not_start_is_said_to() -> None:
    async with _doors(1) as doors:
        doors.tell(broken="the file model.joblib does not exist")
        async with doors.session.get(doors.url) as answer:
            assert answer.status == 503
            assert "model.joblib" in (await answer.json())["error"]


async def test_a_pod_that_is_gone_already_has_seen_no_request() -> None:
    async with _pod(_echo) as target, _doors(target) as doors:
        doors.tell("127.0.0.254")
        asked = asyncio.create_task(doors.session.post(doors.url, data=b"once"))
        await asyncio.sleep(0.05)
        doors.tell("127.0.0.1")
        async with await asked as answer:
            assert (await answer.json())["length"] == 4


async def test_who_hangs_up_waits_no_more() -> None:
    async with _doors(1) as doors:
        doors.tell()
        asked = asyncio.create_task(doors.session.get(doors.url))
        await _until(lambda: doors.waiting == 1)
        asked.cancel()
        await _until(lambda: doors.waiting == 0)


async def test_a_pod_gets_no_more_at_once_than_it_takes() -> None:
    inside = most = 0
    two = asyncio.Barrier(2)

    async def counted(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await two.wait()
        inside -= 1
        return web.Response()

    async with _pod(counted) as target, _doors(target) as doors:
        doors.tell("127.0.0.1", limit=2)
        answers = await asyncio.gather(*(doors.session.get(doors.url) for _ in range(12)))
        assert {answer.status for answer in answers} == {200}
        assert most == 2


async def test_a_door_stays_the_same_and_goes_with_its_service() -> None:
    async with _pod(_echo) as target, _doors(1) as doors:
        number = doors.activator.open(KEY, [Port("http", target)])["http"]
        assert doors.url.endswith(f":{number}")
        doors.tell("127.0.0.1")
        async with doors.session.get(doors.url) as answer:
            assert answer.status == 418  # the port of the pods may change meanwhile
        await doors.activator.forget(KEY)
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(aiohttp.ClientConnectorError):
                await stranger.get(doors.url)


def test_whose_a_connection_is_stands_in_the_kernels_table(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    line = "   1: {}:01BB {}:1F90 01 00000000:00000000 00:00000000 00000000  {}        0 {} 1"
    mapped = "0000000000000000FFFF0000"
    old = [line.format("0100007F", "0100007F", 1000, 77), line.format("0200007F", "0100007F", 1001, 0)]
    new = [line.format(f"{mapped}0300007F", f"{mapped}0100007F", 1002, 78)]
    (tmp_path / "tcp").write_text("\n".join([head, *old]))
    (tmp_path / "tcp6").write_text("\n".join([head, *new]))
    ours = ("127.0.0.1", 8080)
    assert peers.owner_of(("127.0.0.1", 443), ours, tmp_path) == 1000
    assert peers.owner_of(("127.0.0.2", 443), ours, tmp_path) is None, "closed by its owner: nobody's"
    assert peers.owner_of(("127.0.0.3", 443), ours, tmp_path) == 1002
    assert peers.owner_of(("127.0.0.4", 443), ours, tmp_path) is None


async def test_other_users_are_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _pod(_echo) as target, _doors(target) as doors:
        doors.tell("127.0.0.1")
        monkeypatch.setattr(peers, "owner_of", lambda local, remote: 65_534)
        with pytest.raises(aiohttp.ClientError):
            await doors.session.get(doors.url)
        assert not doors.woken


# gRPC, whose connections are joined and whose calls are counted


async def test_calls_over_grpc_wait_for_their_pod_too() -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

    async def shout(request: bytes, context: object) -> bytes:
        return request.upper()

    server = grpc.aio.server()
    methods = {"Shout": grpc.unary_unary_rpc_method_handler(shout)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Voice", methods),))
    target = server.add_insecure_port("127.0.0.1:0")
    async with _doors(target, http2=True) as doors:
        doors.tell()
        async with grpc.aio.insecure_channel(doors.url.removeprefix("http://")) as channel:
            call = channel.unary_unary("/t.Voice/Shout")
            asked = [asyncio.ensure_future(call(b"hello", timeout=10, wait_for_ready=True)) for _ in range(5)]
            await _until(lambda: doors.waiting == 1)
            assert doors.woken == [KEY]
            await server.start()
            doors.tell("127.0.0.1")
            assert await asyncio.gather(*asked) == [b"HELLO"] * 5
            assert await call(b"again", timeout=60) == b"AGAIN"
            seen, waiting = doors.activator.look(KEY)
            assert seen.came > 0
            assert waiting == 0
        await server.stop(None)


async def test_over_grpc_it_is_said_that_a_service_does_not_start() -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")
    async with _doors(1, http2=True) as doors:
        doors.tell(broken=f"50% of the model is at {'/very' * 50}/é")
        async with grpc.aio.insecure_channel(doors.url.removeprefix("http://")) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary("/t.Voice/Shout")(b"hello", timeout=60)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert refused.value.details() == f"50% of the model is at {'/very' * 50}/é"


async def test_a_pod_that_takes_no_connection_has_not_seen_the_request_and_another_is_tried() -> None:
    with socket.create_server(("127.0.0.2", 0), backlog=0) as silent, ExitStack() as ahead:
        port = silent.getsockname()[1]
        for _ in range(4):  # more than wait for it; what comes now is not even refused
            one = ahead.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        pod = await asyncio.get_running_loop().create_server(web.Server(_echo), "127.0.0.1", port)
        room = Room("iris", SystemClock(), lambda: None)
        room.hall.limit = 1  # so that the first is taken
        room.hall.told(["127.0.0.2", "127.0.0.1"])
        async with pod, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=0.5)) as session:
            door = web.Server(Http1(room, port, session).handle)
            async with await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0) as listening:
                url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
                async with aiohttp.ClientSession() as client:
                    asked = asyncio.create_task(client.post(url, data=b"whole"))
                    await _until(lambda: room.meter.inside > 0)
                    while not asked.done():
                        room.hall.told(["127.0.0.1"])  # as is said again and again, also of one that was missed
                        await asyncio.sleep(0.05)
                    async with await asked as answer:
                        assert (answer.status, (await answer.json())["length"]) == (418, 5)
