"""What users write, behind the server: messages, streams that end with their client, paths of their own."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Message, Program, Reply, Signature
from fairway.serving.inpod.places import Loader

from .conftest import serving

NOWHERE = Path("/nowhere")


@dataclass
class Echo:
    """Says what it heard; asked to count, it streams numbers until nobody listens."""

    asynchronous: bool = False
    signature: Signature = field(default_factory=lambda: Signature("python"))
    paths: tuple[str, ...] = ("/openai",)
    counted: int = 0
    begun: bool = False
    ended: bool = False

    def answer(self, message: Message) -> Reply | Awaitable[Reply]:
        return self._later(message) if self.asynchronous else self._now(message)

    async def _later(self, message: Message) -> Reply:
        if (message.body or {}).get("sleep"):
            self.begun = True
            try:
                await asyncio.sleep(message.body["sleep"])
            finally:
                self.ended = True
        return self._now(message)

    def _now(self, message: Message) -> Reply:
        if message.inputs is not None:
            doubled = {name: array * 2 for name, array in message.inputs.tensors.items()}
            return Reply(outputs=doubled, parameters={"seen": message.id}, headers={"x-echo": "v2"})
        if "refuse" in message.body:
            raise Refusal(422, message.body["refuse"])
        if "fail" in message.body:
            raise RuntimeError("no")
        if "count" in message.body:
            return Reply(stream=self._count(message.body["count"]), content_type="text/event-stream")
        return Reply(body={message.verb: message.body, "agent": message.headers.get("x-agent")})

    async def speak(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if path.endswith("/refused"):
            raise Refusal(404, "not here")
        if path.endswith("/stream"):
            return Reply(stream=self._count(3), content_type="text/event-stream")
        return Reply(body=[method, path, query, body.decode()], status=201)

    async def _count(self, numbers: int) -> AsyncIterator[bytes]:
        if numbers == 0:
            raise Refusal(409, "nothing to count")
        try:
            for number in range(numbers):
                self.counted = number
                yield b"data: %d\n\n" % number if numbers < 10 else bytes(100_000)
                await asyncio.sleep(0)
        finally:
            self.ended = True

    def close(self) -> None:
        pass


def given(program: Program) -> Mapping[str, Loader]:
    return {"m": lambda: (program, "1")}


async def test_a_program_sees_whole_messages_in_its_thread_or_on_the_loop() -> None:
    for asynchronous in (False, True):
        async with serving(NOWHERE, given=given(Echo(asynchronous))) as server:
            answer = await server.post("/v1/models/m:predict", {"anything": [1]}, **{"x-agent": "a"})
            assert answer == (200, {"predict": {"anything": [1]}, "agent": "a"})
            assert (await server.post("/v1/models/m:explain", {"x": 1}))[1]["explain"] == {"x": 1}
            assert await server.post("/v1/models/m:predict", {"refuse": "no way"}) == (422, {"error": "no way"})
            status, failed = await server.post("/v1/models/m:predict", {"fail": 1})
            assert (status, failed) == (500, {"error": "The server failed: RuntimeError: no"})
            tensor = {"name": "x", "shape": [2], "datatype": "INT32", "data": [1, 2], "parameters": {"a": "b"}}
            _, doubled = await server.post("/v2/models/m/infer", {"id": "7", "inputs": [tensor]})
            assert doubled["parameters"] == {"seen": "7"}
            assert doubled["outputs"][0]["data"] == [2, 4]


async def test_a_stream_comes_in_chunks_and_the_connection_goes_on() -> None:
    async with serving(NOWHERE, given=given(Echo(asynchronous=True))) as server:
        for _ in range(2):
            async with server.session.post(server.url + "/v1/models/m:predict", json={"count": 3}) as answer:
                assert answer.headers["transfer-encoding"] == "chunked"
                assert await answer.read() == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
        assert await server.post("/v1/models/m:predict", {"count": 0}) == (409, {"error": "nothing to count"})
        assert server.session.connector is not None
        assert len(server.session.connector._conns) == 1  # type: ignore[attr-defined]


async def test_a_stream_ends_with_its_client_and_a_slow_reader_slows_it() -> None:
    program = Echo(asynchronous=True)
    async with serving(NOWHERE, given=given(program)) as server:
        async with aiohttp.ClientSession() as session:
            answer = await session.post(server.url + "/v1/models/m:predict", json={"count": 10**9})
            await answer.content.readany()
            await until_still(lambda: program.counted)
            assert 0 < program.counted < 1000
            text = await (await server.session.get(server.url + "/metrics")).text()
            assert "fairway_inference_requests_inside 1" in text
            answer.close()
        await until(lambda: program.ended)
        text = await (await server.session.get(server.url + "/metrics")).text()
    assert "fairway_inference_requests_inside 0" in text


async def test_an_asynchronous_program_stops_where_its_client_hangs_up() -> None:
    program = Echo(asynchronous=True)
    async with serving(NOWHERE, given=given(program)) as server:
        call = asyncio.create_task(server.post("/v1/models/m:predict", {"sleep": 60}))
        await until(lambda: program.begun)
        call.cancel()
        await until(lambda: program.ended)


async def test_a_program_speaks_paths_of_its_own() -> None:
    async with serving(NOWHERE, given=given(Echo())) as server:
        assert await server.post("/openai/v1/x?a=b", b"hello") == (201, ["POST", "/openai/v1/x", "a=b", "hello"])
        assert await server.post("/openai/refused", b"") == (404, {"error": "not here"})
        async with server.session.get(server.url + "/openai/stream") as answer:
            assert (await answer.read()).count(b"data:") == 3
        assert (await server.get("/v2/health/live"))[0] == 200


async def test_an_application_may_have_every_path_but_health_and_metrics() -> None:
    async with serving(NOWHERE, given=given(Echo(paths=("/",)))) as server:
        assert (await server.get("/v1/models/m"))[1][1] == "/v1/models/m"
        assert (await server.get("/v2/health/ready"))[1] == {"ready": True}
        assert b"fairway_model_ready" in await (await server.session.get(server.url + "/metrics")).read()


async def test_tensors_of_a_program_travel_as_binary_too() -> None:
    async with serving(NOWHERE, given=given(Echo())) as server:
        tensor = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}
        body = {"inputs": [tensor], "outputs": [{"name": "x", "parameters": {"binary_data": True}}]}
        async with server.session.post(server.url + "/v2/models/m/infer", json=body) as answer:
            length = int(answer.headers["Inference-Header-Content-Length"])
            assert answer.headers["x-echo"] == "v2"
            assert np.frombuffer((await answer.read())[length:], "<f4").tolist() == [2.0, 4.0]


async def until_still(number: Callable[[], int]) -> None:
    deadline, before = time.monotonic() + 60, -1
    while number() != before:
        assert time.monotonic() < deadline
        before = number()
        await asyncio.sleep(0.2)


async def until(true: Any) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@dataclass
class Waiting(Echo):
    """As a transformer that asks somebody else, in plain code; each answer comes only where three wait at once."""

    three: threading.Barrier = field(default_factory=lambda: threading.Barrier(3))

    def answer(self, message: Message) -> Reply:
        self.three.wait(60)
        return Reply(body={"waited": True})


async def test_programs_that_wait_do_so_side_by_side() -> None:
    async with serving(NOWHERE, given=given(Waiting())) as server:
        answers = await asyncio.gather(*(server.post("/v1/models/m:predict", {}) for _ in range(12)))
        assert [status for status, _ in answers] == [200] * 12
