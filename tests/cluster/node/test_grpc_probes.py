"""gRPC probes against a real gRPC server, and against what is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fairway.cluster.node import health
from fairway.kernel.objects import conditions

from .conftest import Bench

grpc: Any = pytest.importorskip("grpc", reason="grpcio is not installed")

SERVER = """
import concurrent.futures, grpc
def answer(request, context):
    return b"\\x08\\x01"
handlers = {"Check": grpc.unary_unary_rpc_method_handler(answer)}
server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
server.add_insecure_port("0.0.0.0:50051")
server.start()
server.wait_for_termination()
"""


@asynccontextmanager
async def served(answers: dict[bytes, bytes]) -> AsyncIterator[int]:
    """A health service: what it answers to each request, both as bytes of protobuf."""

    async def check(request: bytes, context: Any) -> bytes:
        if request not in answers:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answers[request]

    server = grpc.aio.server()
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_a_server_says_how_it_and_each_of_its_services_is() -> None:
    async with served({b"": b"\x08\x01", b"\x0a\x05model": b"\x08\x02"}) as port, asyncio.timeout(60):
        await health.check("127.0.0.1", port, "")
        with pytest.raises(health.Unhealthy, match='responded with "NOT_SERVING"'):
            await health.check("127.0.0.1", port, "model")
        with pytest.raises(health.Unhealthy, match="no health service, or none of that name"):
            await health.check("127.0.0.1", port, "other")


async def test_what_speaks_no_grpc_is_unhealthy() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    for answer in (hang_up, web):
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, asyncio.timeout(60):
            with pytest.raises((health.Unhealthy, ConnectionError)):
                await health.check("127.0.0.1", server.sockets[0].getsockname()[1], "")
    with pytest.raises(OSError):
        await health.check("127.0.0.1", 1, "")


async def test_a_pod_is_ready_once_its_health_service_says_so(pods: Bench) -> None:
    probe = {"grpc": {"port": 50051}, "periodSeconds": 1, "failureThreshold": 30}
    container = {"image": "python:3", "readinessProbe": probe}
    await pods.create("serves", "python3", "-c", SERVER, container=container, terminationGracePeriodSeconds=0)
    await pods.until("serves", lambda pod: conditions.is_true(pod, "Ready"), timeout=60)
