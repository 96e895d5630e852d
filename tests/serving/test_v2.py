"""The V2 protocol over REST: JSON, binary tensors, metadata, health."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from fairway.serving.inpod import classes, tensors
from fairway.serving.inpod.messages import Refusal
from tests.ports import free_port

from .conftest import TWO_FLOWERS, Server, serving

INFER = "/v2/models/m/infer"


def tensor(data: Any, shape: list[int], datatype: str = "FP32", **more: Any) -> dict[str, Any]:
    return {"name": "input-0", "shape": shape, "datatype": datatype, "data": data, **more}


async def test_a_tensor_becomes_a_tensor_whether_flat_or_nested(models: Path) -> None:
    expected = {
        "model_name": "m",
        "model_version": "1",
        "id": "seven",
        "outputs": [{"name": "output-0", "shape": [2], "datatype": "INT64", "data": [1, 1]}],
    }
    async with serving(models / "iris") as server:
        for data in (TWO_FLOWERS, [number for row in TWO_FLOWERS for number in row]):
            answer = await server.post(INFER, {"id": "seven", "inputs": [tensor(data, [2, 4])]})
            assert answer == (200, expected)
        _, answer = await server.post("/v2/models/m/versions/1/infer", {"inputs": [tensor(TWO_FLOWERS, [2, 4])]})
        assert "id" not in answer


async def test_binary_tensors_both_ways(models: Path) -> None:
    raw = np.array(TWO_FLOWERS, dtype="<f4").tobytes()
    head = orjson.dumps(
        {
            "inputs": [
                {"name": "x", "shape": [2, 4], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}},
            ],
            "parameters": {"binary_data_output": True},
        }
    )
    async with serving(models / "iris") as server:
        headers = {"Inference-Header-Content-Length": str(len(head))}
        async with server.session.post(server.url + INFER, data=head + raw, headers=headers) as answer:
            assert answer.status == 200
            length = int(answer.headers["Inference-Header-Content-Length"])
            body = await answer.read()
        (output,) = orjson.loads(body[:length])["outputs"]
        assert output["parameters"] == {"binary_data_size": len(body) - length}
        assert np.frombuffer(body[length:], dtype="<i8").tolist() == [1, 1]
        assert (await server.post(INFER, head + raw[:-1], **headers))[0] == 400


async def test_several_tensors_are_the_columns_of_a_table(models: Path) -> None:
    names = ["petal length (cm)", "petal width (cm)", "sepal length (cm)", "sepal width (cm)"]
    columns = [tensor([value], [1], name=name) for name, value in zip(names, [4.8, 1.4, 6.8, 2.8], strict=True)]
    async with serving(models / "frame") as server:
        body = {"inputs": columns, "parameters": {"content_type": "pd"}}
        status, answer = await server.post(INFER, body)
    assert (status, answer["outputs"][0]["data"]) == (200, [1])


async def test_text_is_bytes_in_and_out(models: Path) -> None:
    async with serving(models / "text") as server:
        _, answer = await server.post(INFER, {"inputs": [tensor(["a cat"], [1], "BYTES")]})
    (output,) = answer["outputs"]
    assert (output["datatype"], output["data"]) == ("BYTES", ["cat"])


async def test_metadata_and_health(models: Path) -> None:
    async with serving(models / "iris") as server:
        _, about = await server.get("/v2/models/m")
        assert about["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]
        assert about["outputs"] == [{"name": "output-0", "datatype": "INT64", "shape": [-1]}]
        assert "binary_tensor_data" in (await server.get("/v2"))[1]["extensions"]
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/m/ready", "/v2/models/m/versions/1/ready"):
            assert (await server.get(path))[0] == 200
        assert (await server.get("/v2/models/m/versions/2"))[0] == 404
        assert (await server.get("/v2/models/m/config"))[1]["max_batch_size"] == 64
        assert (await server.get("/v2/models/m/stats"))[1]["model_stats"][0]["inference_count"] == 0


async def test_a_client_s_mistake_is_a_400_that_names_the_place(models: Path) -> None:
    row = [1.0, 2.0, 3.0, 4.0]
    cases = (
        ({}, "inputs"),
        ({"inputs": [{"name": "x"}]}, "datatype"),
        ({"inputs": [tensor(row, [1, 5])]}, "wants 5 elements and data has 4"),
        ({"inputs": [tensor(row, [1, 4] + [1] * 99)]}, "inputs[0]: shape has 101 dimensions"),
        ({"inputs": [tensor([], [0, 2**62, 2**62])]}, "inputs[0]: shape [0, 4611"),
        ({"inputs": [tensor(row, [1, 4], "FLOAT")]}, "datatype must be one of"),
        ({"inputs": [tensor(row, [1, 4], "FP16")]}, "no form in JSON"),
        ({"inputs": [tensor([1.5], [1, 1], "INT64")]}, "not INT64"),
        ({"inputs": [tensor([300], [1, 1], "UINT8")]}, "outside of UINT8"),
        ({"inputs": [tensor(["a"], [1, 1])]}, "not FP32"),
        ({"inputs": [tensor([1.0], [1, 1])]}, "expecting 4 features"),
        ({"inputs": [tensor(row, [1, 4])], "outputs": [{"name": "y"}]}, "no output 'y'"),
    )
    async with serving(models / "iris") as server:
        for body, says in cases:
            await expect_400(server, body, says)
        for shape in ([1] * 101, [2**62, 0, 2**62]):
            status, answer = await raw_infer(server, b"", shape=shape, datatype="FP32")
            assert (status, answer["error"].startswith("inputs[0]: shape ")) == (400, True), answer
        status, answer = await server.post(INFER, b"{}", **{"Inference-Header-Content-Length": "9" * 5000})
        assert (status, "does not fit the body" in answer["error"]) == (400, True)


async def expect_400(server: Server, body: Any, says: str) -> None:
    status, answer = await server.post(INFER, body)
    assert (status, list(answer)) == (400, ["error"]), answer
    assert says in answer["error"], answer


async def test_half_precision_and_bytes_that_are_no_text_travel_raw(models: Path) -> None:
    rows = np.array(TWO_FLOWERS, dtype="<f4")
    brain = (rows.view("<u4") >> 16).astype("<u2")
    async with serving(models / "iris") as server:
        for datatype, raw in (("FP16", rows.astype("<f2").tobytes()), ("BF16", brain.tobytes())):
            status, answer = await raw_infer(server, raw, shape=[2, 4], datatype=datatype)
            assert (status, answer["outputs"][0]["data"]) == (200, [1, 1])
    async with serving(models / "text") as server:
        status, answer = await raw_infer(server, b"\x02\0\0\0\xff\xfe", shape=[1], datatype="BYTES")
        assert status in (200, 400)
        status, answer = await raw_infer(server, b"\x09\0\0\0ab", shape=[1], datatype="BYTES")
        assert (status, "ends inside an element" in answer["error"]) == (400, True)


async def raw_infer(server: Server, raw: bytes, **about: Any) -> tuple[int, Any]:
    tensor = {"name": "input-0", "parameters": {"binary_data_size": len(raw)}, **about}
    head = orjson.dumps({"inputs": [tensor]})
    return await server.post(INFER, head + raw, **{"Inference-Header-Content-Length": str(len(head))})


async def test_the_likeliest_classes_are_texts_of_value_and_index(models: Path) -> None:
    def asked(number: Any) -> dict[str, Any]:
        output = {"name": "output-0", "parameters": {"classification": number}}
        return {"inputs": [tensor(TWO_FLOWERS, [2, 4])], "outputs": [output]}

    async with serving(models / "iris") as server:
        (output,) = (await server.post(INFER, asked(3)))[1]["outputs"]
        assert output == {"name": "output-0", "shape": [2, 1], "datatype": "BYTES", "data": ["1:0", "1:0"]}
        (plain,) = (await server.post(INFER, asked(0)))[1]["outputs"]
        assert plain["data"] == [1, 1]
        for wrong in ("two", -1, True):
            await expect_400(server, asked(wrong), "classification must be a number of classes")


def test_classes_come_the_likeliest_first_and_of_equals_the_first() -> None:
    shares = np.array([[0.1, 0.5, 0.4], [0.2, 0.2, 0.2]], dtype=np.float32)
    rows = classes.likeliest(shares, 2, batched=True).tolist()
    assert rows == [["0.500000:1", "0.400000:2"], ["0.200000:0", "0.200000:1"]]
    assert classes.likeliest(shares, 1, batched=False).tolist() == ["0.500000:1"]


async def test_numbers_beyond_int64_are_kept_to_the_last_bit(models: Path) -> None:
    most = 2**64 - 1
    assert tensors.from_json([0, most], "UINT64", [2], "x").tolist() == [0, most]
    for wrong in ([0, most + 1], [-1, most], [0.5, most]):
        with pytest.raises(Refusal):
            tensors.from_json(wrong, "UINT64", [2], "x")


async def test_statistics_count_rows_and_requests(models: Path) -> None:
    async with serving(models / "iris") as server:
        await server.post(INFER, {"inputs": [tensor(TWO_FLOWERS, [2, 4])]})
        (seen,) = (await server.get("/v2/models/m/stats"))[1]["model_stats"]
        assert (seen["inference_count"], seen["execution_count"]) == (2, 1)
        assert seen["inference_stats"]["success"]["count"] == 1


async def test_the_page_of_metrics_may_have_a_port_of_its_own(models: Path) -> None:
    port = free_port()
    async with serving(models / "iris", f"--metrics_port={port}") as server:
        await server.post(INFER, {"inputs": [tensor(TWO_FLOWERS, [2, 4])]})
        async with server.session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert 'fairway_predicted_rows_total{model_name="m"} 2' in (await answer.text()).splitlines()
        async with server.session.get(f"http://127.0.0.1:{port}/v1/models") as answer:
            assert answer.status == 404
