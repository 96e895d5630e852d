"""The unmodified `tritonclient`, the strictest public client of V2, against the model server over REST and gRPC.

Its package is in the group `judges` of pyproject.toml; it blocks, so it runs in a thread beside the server's loop.
"""

import asyncio
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ports import free_port
from tests.serving.conftest import TWO_FLOWERS, models, serving

rest = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed (group judges)")
rpc = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed (group judges)")

__all__ = ["models"]

ROWS = np.array(TWO_FLOWERS, dtype=np.float32)


async def judge(model: Path, questions: Callable[[Any, Any], None]) -> None:
    """Ask both clients the same."""
    port = free_port()
    async with serving(model, f"--grpc_port={port}") as server:
        host, http = server.address

        def ask() -> None:
            with rest.InferenceServerClient(f"{host}:{http}") as client:
                questions(client, rest)
            with rpc.InferenceServerClient(f"{host}:{port}") as client:
                questions(client, rpc)

        await asyncio.to_thread(ask)


def flowers(module: Any, **more: Any) -> Any:
    tensor = module.InferInput("input-0", list(ROWS.shape), "FP32")
    tensor.set_data_from_numpy(ROWS, **more)
    return tensor


async def test_health_and_descriptions(models: Path) -> None:
    def questions(client: Any, module: Any) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("m")
        assert client.is_model_ready("m", "1")
        as_json = {"as_json": True} if module is rpc else {}
        assert client.get_server_metadata(**as_json)["name"] == "fairway"
        about = client.get_model_metadata("m", **as_json)
        assert [int(size) for size in about["inputs"][0]["shape"]] == [-1, 4]
        config = client.get_model_config("m", **as_json)
        config = config.get("config", config)
        assert int(config["max_batch_size"]) == 64
        assert config["input"][0]["data_type"] == "TYPE_FP64"
        client.infer("m", [flowers(module)])
        (stats,) = client.get_inference_statistics("m", **as_json)["model_stats"]
        assert int(stats["inference_stats"]["success"]["count"]) > 0

    await judge(models / "iris", questions)


async def test_predictions_of_numbers_and_of_text(models: Path) -> None:
    def questions(client: Any, module: Any) -> None:
        output = module.InferRequestedOutput("output-0")
        answer = client.infer("m", [flowers(module)], request_id="seven", outputs=[output])
        assert answer.as_numpy("output-0").tolist() == [1, 1]
        assert client.infer("m", [flowers(module)]).as_numpy("output-0").tolist() == [1, 1]

    def about_text(client: Any, module: Any) -> None:
        texts = module.InferInput("x", [1], "BYTES")
        texts.set_data_from_numpy(np.array([b"my cats"], dtype=object))
        assert client.infer("m", [texts]).as_numpy("output-0").tolist() == [b"cat"]

    await judge(models / "iris", questions)
    await judge(models / "text", about_text)


async def test_rest_with_json_and_compression_both_ways(models: Path) -> None:
    def questions(client: Any, module: Any) -> None:
        if module is rpc:
            for how in ("gzip", "deflate"):
                answer = client.infer("m", [flowers(module)], compression_algorithm=how)
                assert answer.as_numpy("output-0").tolist() == [1, 1]
            return
        rows = np.tile(ROWS, (1000, 1))
        many = module.InferInput("input-0", list(rows.shape), "FP32")
        many.set_data_from_numpy(rows, binary_data=False)
        for binary in (False, True):
            output = module.InferRequestedOutput("output-0", binary_data=binary)
            for how in ("gzip", "deflate"):
                answer = client.infer(
                    "m", [many], outputs=[output], request_compression_algorithm=how, response_compression_algorithm=how
                )
                assert answer.as_numpy("output-0").tolist() == [1] * 2000

    await judge(models / "iris", questions)


async def test_the_repository(models: Path) -> None:
    def questions(client: Any, module: Any) -> None:
        client.unload_model("m")
        assert not client.is_model_ready("m")
        client.load_model("m")
        assert client.is_model_ready("m")
        index = client.get_model_repository_index(**({"as_json": True} if module is rpc else {}))
        listed = index["models"] if module is rpc else index
        assert [(model["name"], model["state"]) for model in listed] == [("m", "READY")]

    await judge(models / "iris", questions)


async def test_mistakes_are_told_as_its_exception(models: Path) -> None:
    def questions(client: Any, module: Any) -> None:
        for name, columns, says in (("m", 3, "features"), ("other", 4, "is not here")):
            tensor = module.InferInput("input-0", [1, columns], "FP32")
            tensor.set_data_from_numpy(np.zeros((1, columns), dtype=np.float32))
            with pytest.raises(Exception, match=says) as raised:
                client.infer(name, [tensor])
            assert type(raised.value).__name__ == "InferenceServerException"

    await judge(models / "iris", questions)


async def test_a_grpc_stream(models: Path) -> None:
    def questions(client: Any, module: Any) -> None:
        if module is rest:
            return
        answers: queue.Queue[Any] = queue.Queue()
        client.start_stream(lambda result, error: answers.put(error or result))
        for number in range(5):
            client.async_stream_infer("m", [flowers(module)], request_id=str(number))
        ids = [answers.get(timeout=60).get_response().id for _ in range(5)]
        client.stop_stream()
        assert ids == ["0", "1", "2", "3", "4"]

    await judge(models / "iris", questions)
