"""Formats behind the server itself: what V2 says of a model, and what it answers in JSON and as raw bytes."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tests.serving.conftest import serving

from .asking import TWO_FLOWERS

ROWS, CLASSES = load_iris(return_X_y=True)


async def test_an_onnx_model_is_described_and_asked_by_v2(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    estimator = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    converted = skl2onnx.to_onnx(estimator, np.zeros((1, 4), dtype=np.float32))
    (tmp_path / "model.onnx").write_bytes(converted.SerializeToString())
    async with serving(tmp_path) as server:
        status, about = await server.get("/v2/models/m")
        assert (status, about["platform"]) == (200, "onnxruntime_onnx")
        assert about["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
        assert [output["name"] for output in about["outputs"]] == ["output_label", "output_probability"]

        raw = np.array(TWO_FLOWERS, dtype="<f4").tobytes()
        tensor = {"name": "X", "datatype": "FP32", "shape": [2, 4], "parameters": {"binary_data_size": len(raw)}}
        head = orjson.dumps({"inputs": [tensor], "outputs": [{"name": "output_label"}]})
        sent = {"Inference-Header-Content-Length": str(len(head))}
        status, answer = await server.post("/v2/models/m/infer", head + raw, **sent)
        assert status == 200, answer
        assert answer["outputs"] == [{"name": "output_label", "datatype": "INT64", "shape": [2], "data": [1, 1]}]

        wrong = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}
        status, answer = await server.post("/v2/models/m/infer", wrong)
        assert status == 400
        assert "wants X in shape [-1, 4], not [1, 3]" in answer["error"]


async def test_a_table_of_named_columns_comes_as_tensors(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    matrix = xgboost.DMatrix(ROWS, label=CLASSES, feature_names=["sl", "sw", "pl", "pw"])
    xgboost.train({"objective": "multi:softmax", "num_class": 3, "nthread": 1}, matrix, 5).save_model(
        tmp_path / "model.ubj"
    )
    async with serving(tmp_path, "--model_format=xgboost") as server:
        columns = dict(zip(("pw", "pl", "sw", "sl"), reversed(np.transpose(TWO_FLOWERS).tolist()), strict=True))
        tensors = [{"name": name, "datatype": "FP64", "shape": [2], "data": data} for name, data in columns.items()]
        status, answer = await server.post("/v2/models/m/infer", {"inputs": tensors})
        assert (status, answer["outputs"][0]["data"]) == (200, [1.0, 1.0])
