"""ONNX: what scikit-learn's converter writes, and graphs with several inputs and outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from fairway.serving.inpod.formats import onnx as loader
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Tensor

from .asking import TWO_FLOWERS, arrays

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")


def graph(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> None:
    made = onnx.helper.make_graph(nodes, "g", inputs, outputs)
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def value(name: str, kind: str, *shape: Any) -> Any:
    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape)


def test_a_converted_classifier_answers_classes_and_a_matrix_of_probabilities(tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    estimator = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))
    converted = skl2onnx.to_onnx(estimator, np.zeros((1, 4), dtype=np.float32))
    (tmp_path / "model.onnx").write_bytes(converted.SerializeToString())

    model = loader.load("iris", tmp_path, {})
    assert model.signature.platform == "onnxruntime_onnx"
    assert model.signature.inputs == (Tensor("X", "FP32", (-1, 4)),)
    assert model.signature.outputs == (
        Tensor("output_label", "INT64", (-1,)),
        Tensor("output_probability", "FP32", (-1, -1)),
    )
    answer = arrays(model, anything=TWO_FLOWERS)  # doubles, as JSON has them
    assert answer["output_label"].tolist() == [1, 1]
    np.testing.assert_allclose(answer["output_probability"], estimator.predict_proba(TWO_FLOWERS), atol=1e-5)
    assert arrays(model, X=[[6, 2, 4, 1]])["output_label"].tolist() == [1]


def test_several_inputs_and_outputs_by_name_text_among_them(tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("Add", ["a", "b"], ["sum"]),
        onnx.helper.make_node("Identity", ["text"], ["same"]),
    ]
    inputs = [value("a", "FLOAT", "n", 1), value("b", "INT64", "n", 1), value("text", "STRING", "n", 1)]
    nodes.insert(0, onnx.helper.make_node("Cast", ["b"], ["c"], to=onnx.TensorProto.FLOAT))
    nodes[1] = onnx.helper.make_node("Add", ["a", "c"], ["sum"])
    graph(tmp_path / "model.onnx", nodes, inputs, [value("sum", "FLOAT", "n", 1), value("same", "STRING", "n", 1)])

    model = loader.load("m", tmp_path / "model.onnx", {})
    assert [tensor.datatype for tensor in model.signature.inputs] == ["FP32", "INT64", "BYTES"]
    assert model.signature.batches
    text = np.array(["x", b"y"], dtype=object)
    answer = arrays(model, text=text, b=[1.0, 2.0], a=[0.5, 0.25])  # columns of a table
    assert answer["sum"].tolist() == [[1.5], [2.25]]
    assert answer["same"].tolist() == [["x"], ["y"]]

    with pytest.raises(Refusal, match="has the inputs a, b, text; text is missing"):
        arrays(model, a=[1.0], b=[1])
    with pytest.raises(Refusal, match="b of the model m is INT64, and the request has numbers there that are not"):
        arrays(model, text=text, b=[1.5, 2], a=[0.5, 0.25])
    with pytest.raises(Refusal, match=r"wants b in shape \[-1, 1\], not \[1, 2\]"):
        arrays(model, text=text, b=[[1, 2]], a=[0.5, 0.25])
    with pytest.raises(Refusal, match="is FP32, and the request has something else there"):
        arrays(model, text=text, b=[1, 2], a=text)


def test_a_size_with_a_name_is_the_same_in_all_inputs_and_text_is_text(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Add", ["a", "b"], ["sum"]), onnx.helper.make_node("Identity", ["t"], ["u"])]
    inputs = [value("a", "FLOAT", "n", 2), value("b", "FLOAT", "n", 2), value("t", "STRING", "other")]
    graph(tmp_path / "model.onnx", nodes, inputs, [value("sum", "FLOAT", "n", 2), value("u", "STRING", "other")])
    model = loader.load("m", tmp_path, {})
    with pytest.raises(Refusal, match="wants the size 'n' to be the same in all inputs; b has 1 where another has 2"):
        arrays(model, a=[[1.0, 2.0]] * 2, b=[[1.0, 2.0]], t=["x"])
    with pytest.raises(Refusal, match="t of the model m takes text, and the request has bytes there that are not UTF"):
        arrays(model, a=[[1.0, 2.0]], b=[[1.0, 2.0]], t=np.array([b"\xff"], dtype=object))


def test_a_fixed_first_size_is_not_batched(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Identity", ["a"], ["z"])]
    graph(tmp_path / "model.onnx", nodes, [value("a", "FLOAT", 1, 2)], [value("z", "FLOAT", 1, 2)])
    assert not loader.load("m", tmp_path, {}).signature.batches


def test_the_newest_of_numbered_versions_is_served(tmp_path: Path) -> None:
    for version, operator in ((9, "Neg"), (10, "Abs")):
        (tmp_path / str(version)).mkdir()
        nodes = [onnx.helper.make_node(operator, ["a"], ["z"])]
        graph(tmp_path / f"{version}" / "model.onnx", nodes, [value("a", "FLOAT", "n")], [value("z", "FLOAT", "n")])
    assert arrays(loader.load("m", tmp_path, {}), a=[-1.0])["z"].tolist() == [1]


def test_what_cannot_load_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad, match=r"has no file that ends in \.onnx; save the model there with onnx.save"):
        loader.load("m", tmp_path, {})
    (tmp_path / "model.onnx").write_text("no model")
    with pytest.raises(CannotLoad, match="is not a model that onnxruntime can load"):
        loader.load("m", tmp_path, {})
    with pytest.raises(CannotLoad, match="nthread is 'many'; set it to a whole number"):
        loader.load("m", tmp_path, {"NTHREAD": "many"})
