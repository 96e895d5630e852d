"""V2 over gRPC: the calls of KServe and of Triton, typed and raw contents, status codes, hang-ups, draining."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ports import free_port

from .conftest import TWO_FLOWERS, Server, serving

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

from fairway.serving.inpod.rpc import schema  # noqa: E402  only where grpcio is

MESSAGES = schema.messages()


class Client:
    """Calls by name, with messages of the table."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def start(self, method: str, request: Any, answer: str, *, of: str = schema.SERVICE, **more: Any) -> Any:
        call = self._channel.unary_unary(
            f"/{of}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES[answer].FromString,
        )
        return call(request, **more)

    async def named(self, method: str, answer: str, name: str = "m") -> Any:
        return await self.start(method, MESSAGES["NamedRequest"](name=name), answer)

    async def infer(self, *inputs: Any, raw: tuple[bytes, ...] = (), name: str = "m", **more: Any) -> Any:
        request = MESSAGES["InferRequest"](model_name=name, inputs=inputs, raw_input_contents=raw, **more)
        return await self.start("ModelInfer", request, "InferResponse")


@asynccontextmanager
async def calling(model: Path, *flags: str) -> AsyncGenerator[tuple[Client, Server], None]:
    port = free_port()
    async with (
        serving(model, f"--grpc_port={port}", *flags) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Client(channel), server


def tensor(values: list[float], shape: list[int], **contents: Any) -> Any:
    contents = contents or {"fp32_contents": values}
    return MESSAGES["Tensor"](name="input-0", datatype="FP32", shape=shape, contents=contents)


FLAT = [number for row in TWO_FLOWERS for number in row]


async def code_of(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code().name, raised.value.details()


async def test_typed_contents_are_answered_typed_and_raw_ones_raw(models: Path) -> None:
    async with calling(models / "iris") as (client, _):
        answer = await client.infer(tensor(FLAT, [2, 4]), id="seven")
        assert (answer.model_name, answer.model_version, answer.id) == ("m", "1", "seven")
        (output,) = answer.outputs
        assert (output.name, output.datatype, list(output.shape)) == ("output-0", "INT64", [2])
        assert list(output.contents.int64_contents) == [1, 1]
        raw = np.array(FLAT, "<f4").tobytes()
        answer = await client.infer(MESSAGES["Tensor"](name="input-0", datatype="FP32", shape=[2, 4]), raw=(raw,))
        assert np.frombuffer(answer.raw_output_contents[0], "<i8").tolist() == [1, 1]


async def test_an_output_may_be_asked_for_as_classes(models: Path) -> None:
    async with calling(models / "iris") as (client, _):
        wish = MESSAGES["RequestedOutput"](name="output-0")
        wish.parameters["classification"].int64_param = 1
        (output,) = (await client.infer(tensor(FLAT, [2, 4]), outputs=[wish])).outputs
        assert (output.datatype, list(output.shape)) == ("BYTES", [2, 1])
        assert list(output.contents.bytes_contents) == [b"1:0", b"1:0"]


async def test_grpc_s_own_health_says_whether_the_server_and_a_model_serve(models: Path) -> None:
    async with calling(models / "iris") as (client, server):

        async def status(service: str) -> int:
            request = MESSAGES["HealthRequest"](service=service)
            return int((await client.start("Check", request, "HealthResponse", of=schema.HEALTH)).status)

        assert [await status(name) for name in ("", schema.SERVICE, "m")] == [1, 1, 1]
        assert (await code_of(status("other")))[0] == "NOT_FOUND"
        await server.post("/v2/repository/models/m/unload", {})
        assert await status("m") == 2


async def test_text_travels_as_bytes(models: Path) -> None:
    async with calling(models / "text") as (client, _):
        texts = MESSAGES["Tensor"](name="x", datatype="BYTES", shape=[1], contents={"bytes_contents": [b"a cat"]})
        answer = await client.infer(texts)
    assert list(answer.outputs[0].contents.bytes_contents) == [b"cat"]


async def test_the_server_and_its_models_say_what_they_are(models: Path) -> None:
    async with calling(models / "iris") as (client, _):
        assert (await client.start("ServerLive", MESSAGES["Empty"](), "LiveResponse")).live
        assert (await client.start("ServerReady", MESSAGES["Empty"](), "ReadyResponse")).ready
        assert (await client.named("ModelReady", "ReadyResponse")).ready
        about = await client.named("ModelMetadata", "ModelMetadata")
        assert (list(about.versions), list(about.inputs[0].shape)) == (["1"], [-1, 4])
        config = (await client.named("ModelConfig", "ConfigResponse")).config
        assert (config.max_batch_size, list(config.input[0].dims)) == (64, [4])
        await client.infer(tensor(FLAT, [2, 4]))
        (stats,) = (await client.named("ModelStatistics", "StatisticsResponse")).model_stats
        assert (stats.inference_count, stats.inference_stats.success.count) == (2, 1)
        server = await client.start("ServerMetadata", MESSAGES["Empty"](), "ServerMetadata")
        assert "model_repository" in server.extensions


async def test_models_are_loaded_and_unloaded_in_both_forms(models: Path) -> None:
    async with calling(models / "iris") as (client, _):
        for named in ({"name_or_repository": "m"}, {"model_name": "m"}):
            change = MESSAGES["ChangeRequest"](**named)
            unloaded = await client.start("RepositoryModelUnload", change, "ChangeResponse")
            assert (unloaded.model_name, unloaded.done) == ("m", True)
            assert (await code_of(client.infer(tensor(FLAT, [2, 4]))))[0] == "UNAVAILABLE"
            assert not (await client.named("ModelReady", "ReadyResponse")).ready
            await client.start("RepositoryModelLoad", change, "ChangeResponse")
            assert (await client.named("ModelReady", "ReadyResponse")).ready
        index = await client.start("RepositoryIndex", MESSAGES["IndexRequest"](), "IndexResponse")
        assert [(model.name, model.state) for model in index.models] == [("m", "READY")]


async def test_mistakes_have_the_status_and_a_sentence(models: Path) -> None:
    async with calling(models / "iris", "--grpc_max_message_bytes=100000") as (client, _):
        cases = (
            (client.infer(tensor(FLAT, [2, 5])), "INVALID_ARGUMENT", "wants 10 elements"),
            (client.infer(tensor([1.0], [1, 1])), "INVALID_ARGUMENT", "expecting 4 features"),
            (client.infer(tensor([1.0], [1] * 99)), "INVALID_ARGUMENT", "99 dimensions"),
            (client.infer(tensor([], [0, 2**62, 2**62])), "INVALID_ARGUMENT", "inputs[0]: shape [0, 4611"),
            (client.infer(tensor(FLAT, [2, 4]), name="x" * 50_000), "NOT_FOUND", "Model 'xxx"),
            (client.infer(), "INVALID_ARGUMENT", "no inputs"),
            (client.infer(tensor(FLAT, [2, 4]), raw=(b"", b"")), "INVALID_ARGUMENT", "2 raw_input_contents"),
            (client.infer(tensor(FLAT, [2, 4]), name="other"), "NOT_FOUND", "not here"),
            (client.infer(tensor(FLAT, [2, 4]), model_version="9"), "NOT_FOUND", "no version '9'"),
            (client.infer(tensor(FLAT * 9999, [2, 4])), "RESOURCE_EXHAUSTED", "larger than max"),
            (client.start("TraceSetting", MESSAGES["Empty"](), "Empty"), "UNIMPLEMENTED", "not offered"),
            (client.start("Nothing", MESSAGES["Empty"](), "Empty"), "UNIMPLEMENTED", ""),
        )
        for call, code, says in cases:
            got, sentence = await code_of(call)
            assert got == code, sentence
            assert says in sentence
    async with calling(models / "broken") as (client, _):
        code, sentence = await code_of(client.infer(tensor([1.0], [1, 1])))
        assert (code, "out of cheese" in sentence) == ("INTERNAL", True)


async def test_a_slow_prediction_keeps_no_other_call_waiting_and_ends_with_its_client(gated: Path, gate: Path) -> None:
    async with calling(gated, "--container_concurrency=1") as (client, server):
        slow = asyncio.create_task(client.infer(tensor([1.0], [1, 1])))
        await server.inside(1)
        dropped = MESSAGES["InferRequest"](model_name="m", inputs=[tensor([5.0], [1, 1])])
        gone = [client.start("ModelInfer", dropped, "InferResponse", timeout=0.1) for _ in range(3)]
        assert (await client.start("ServerLive", MESSAGES["Empty"](), "LiveResponse")).live
        for call in gone:
            assert (await code_of(call))[0] == "DEADLINE_EXCEEDED"
        assert not slow.done()
        await server.metrics()  # by now the server has seen that they left
        gate.touch()
        await slow
        assert (await server.post("/v1/models/m:predict", {"instances": [[0]]}))[0] == 200
        assert 'request_predict_seconds_bucket{model_name="m",le="+Inf"} 2' in await server.metrics()


async def test_draining_finishes_the_calls_it_has(gated: Path, gate: Path) -> None:
    async with calling(gated, "--linger=1") as (client, server):
        long = asyncio.create_task(client.infer(tensor([1.0], [1, 1])))
        await server.inside(1)
        server.end.set()
        while (await client.start("ServerReady", MESSAGES["Empty"](), "ReadyResponse")).ready:
            await asyncio.sleep(0.005)
        gate.touch()
        assert (await long).outputs[0].shape == [1]
        await asyncio.wait_for(server.done, 60)


async def test_a_stream_of_requests_is_answered_in_order_and_refusals_end_nothing(models: Path) -> None:
    async with calling(models / "iris") as (client, _):
        call = client._channel.stream_stream(
            f"/{schema.SERVICE}/ModelStreamInfer",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES["StreamResponse"].FromString,
        )
        good = MESSAGES["InferRequest"](model_name="m", id="1", inputs=[tensor(FLAT, [2, 4])])
        bad = MESSAGES["InferRequest"](model_name="m", id="2", inputs=[tensor(FLAT, [9, 9])])
        answers = [answer async for answer in call(iter([good, bad, good]))]
    assert [answer.infer_response.id for answer in answers] == ["1", "", "1"]
    assert "wants 81 elements" in answers[1].error_message


async def test_a_port_that_is_taken_is_not_shared_in_silence(models: Path) -> None:
    port = free_port()
    async with serving(models / "iris", f"--grpc_port={port}"):
        with pytest.raises(OSError, match=f"{port} for gRPC cannot be had"):
            async with serving(models / "iris", f"--grpc_port={port}"):
                pass
