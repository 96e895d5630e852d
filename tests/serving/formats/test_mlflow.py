"""MLflow folders: each flavour by its own loader, others by mlflow, and the signature that both are held to.

The folders are written as mlflow writes them; where mlflow is installed it writes and loads some itself.
"""

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import yaml
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from fairway.serving.inpod import formats
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Inputs, Tensor

from .asking import TWO_FLOWERS, arrays, rows

ROWS, CLASSES = load_iris(return_X_y=True)
COLUMNS = [{"name": name, "type": "double", "required": True} for name in ("sl", "sw", "pl", "pw")]


def described(folder: Path, flavours: dict[str, Any], inputs: Any = None, outputs: Any = None) -> Path:
    sides = {"inputs": inputs, "outputs": outputs}
    signature = {side: json.dumps(said) for side, said in sides.items() if said}
    about = {"flavors": flavours, **({"signature": signature} if signature else {})}
    (folder / "MLmodel").write_text(yaml.safe_dump(about))
    return folder


def sklearn_folder(folder: Path, estimator: Any, inputs: Any = None, predict_fn: str = "predict") -> Path:
    joblib.dump(estimator, folder / "model.pkl")
    flavours = {
        "sklearn": {"pickled_model": "model.pkl", "code": None},
        "python_function": {"loader_module": "mlflow.sklearn", "predict_fn": predict_fn},
    }
    return described(folder, flavours, inputs)


def test_a_signature_of_columns_is_what_requests_are_held_to(tmp_path: Path) -> None:
    estimator = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    model = formats.load("", "m", sklearn_folder(tmp_path, estimator, COLUMNS), {})
    assert model.signature.platform == "mlflow"
    assert model.signature.inputs[0] == Tensor("sl", "FP64", (-1,))
    assert model.signature.outputs == (Tensor("output-0", "INT64", (-1,)),)
    assert rows(model, TWO_FLOWERS) == [1, 1]
    named = [dict(zip(("sl", "sw", "pl", "pw"), map(round, row), strict=True)) for row in TWO_FLOWERS]
    assert rows(model, named) == estimator.predict(np.round(TWO_FLOWERS)).tolist()
    with pytest.raises(Refusal, match="wants the columns pl, pw too, and it has no px"):
        rows(model, [{"sl": 1, "sw": 1, "px": 2}])
    with pytest.raises(Refusal, match="pw of the model m is FP64, and the request has something else there"):
        rows(model, [{"sl": 1, "sw": 1, "pl": 2, "pw": "wide"}])
    with pytest.raises(Refusal, match=r"wants rows of 4 columns, not the shape \[1, 2\]"):
        rows(model, [[1, 2]])


def test_a_signature_of_a_tensor_and_of_probabilities(tmp_path: Path) -> None:
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]
    estimator = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    model = formats.load("mlflow", "m", sklearn_folder(tmp_path, estimator, tensor, "predict_proba"), {})
    assert model.signature.inputs == (Tensor("input-0", "FP32", (-1, 4)),)
    assert model.signature.outputs == (Tensor("output-0", "FP64", (-1, 3)),)
    assert np.argmax(rows(model, TWO_FLOWERS), axis=1).tolist() == [1, 1]
    with pytest.raises(Refusal, match=r"wants input-0 in shape \[-1, 4\], not \[1, 2\]"):
        rows(model, [[1, 2]])


def test_mixed_columns_optional_ones_and_points_in_time(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"colour": ["red", "blue"] * 5, "size": range(10)})
    estimator = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"), LogisticRegression()
    ).fit(frame, [0, 1] * 5)
    inputs = [{"name": "colour", "type": "string"}, {"name": "size", "type": "long"}]
    model = formats.load("mlflow", "m", sklearn_folder(tmp_path, estimator, inputs), {})
    assert rows(model, [{"size": 3, "colour": "red"}, {"size": 3, "colour": "blue"}]) == [0, 1]
    assert rows(model, [["red", 3]]) == [0]
    with pytest.raises(Refusal, match="size of the model m is INT64, and the request has numbers there that are not"):
        rows(model, [["red", 3.5]])


def test_mlserver_s_names(tmp_path: Path) -> None:
    estimator = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    model = formats.load("mlflow", "m", sklearn_folder(tmp_path, estimator), {"MLSERVER_MODEL_NAME": "m"})
    assert model.signature.outputs == (Tensor("output-1", "INT64", (-1, 1)),)
    assert arrays(model, x=TWO_FLOWERS)["output-1"].tolist() == [[1], [1]]


def test_xgboost_as_a_booster_and_as_a_classifier(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    made = xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(ROWS, CLASSES)
    made.save_model(tmp_path / "model.xgb.json")
    said = {"data": "model.xgb.json", "model_class": "xgboost.sklearn.XGBClassifier"}
    classifier = formats.load("mlflow", "m", described(tmp_path, {"xgboost": said}), {})
    assert rows(classifier, TWO_FLOWERS) == made.predict(np.array(TWO_FLOWERS)).tolist() == [1, 1]
    booster = formats.load("mlflow", "m", described(tmp_path, {"xgboost": {"data": "model.xgb.json"}}), {})
    np.testing.assert_allclose(rows(booster, TWO_FLOWERS), made.predict_proba(np.array(TWO_FLOWERS)), rtol=1e-5)


def test_lightgbm_as_a_booster_and_as_a_classifier(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    made = lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbosity=-1).fit(ROWS, CLASSES)
    made.booster_.save_model(tmp_path / "model.lgb")
    booster = formats.load("mlflow", "m", described(tmp_path, {"lightgbm": {"data": "model.lgb"}}), {})
    assert np.argmax(rows(booster, TWO_FLOWERS), axis=1).tolist() == [1, 1]
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    skops.dump(made, tmp_path / "model.skops")
    said = {"data": "model.skops", "model_class": "lightgbm.sklearn.LGBMClassifier"}
    assert rows(formats.load("mlflow", "m", described(tmp_path, {"lightgbm": said}), {}), TWO_FLOWERS) == [1, 1]


def test_onnx_keeps_its_outputs(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    estimator = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    converted = skl2onnx.to_onnx(estimator, np.zeros((1, 4), dtype=np.float32))
    (tmp_path / "model.onnx").write_bytes(converted.SerializeToString())
    model = formats.load("mlflow", "m", described(tmp_path, {"onnx": {"data": "model.onnx"}}), {})
    assert set(rows(model, TWO_FLOWERS)[0]) == {"output_label", "output_probability"}


def test_what_cannot_load_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotLoad, match="MLmodel is not MLflow's description of a model"):
        formats.load("mlflow", "m", tmp_path, {})
    (tmp_path / "MLmodel").write_text("hello")
    with pytest.raises(CannotLoad, match="it has no flavors"):
        formats.load("mlflow", "m", tmp_path, {})
    with pytest.raises(CannotLoad, match="has the flavours catboost, and no python_function to ask"):
        formats.load("mlflow", "m", described(tmp_path, {"catboost": {"data": "x"}}), {})
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    monkeypatch.delitem(__import__("sys").modules, "mlflow.pyfunc", raising=False)
    flavours = {"python_function": {"loader_module": "mlflow.spark"}}
    with pytest.raises(CannotLoad, match=r"The MLflow model of mlflow\.spark needs the Python package mlflow"):
        formats.load("mlflow", "m", described(tmp_path, flavours), {})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_by_mlflow_itself(tmp_path: Path) -> None:
    pyfunc = pytest.importorskip("mlflow.pyfunc", reason="mlflow is not installed")
    pandas = pytest.importorskip("pandas")
    from mlflow.models import infer_signature  # noqa: PLC0415  optional

    class Sums(pyfunc.PythonModel):  # type: ignore[name-defined,misc]
        def predict(self, context, model_input, params=None):  # with types mlflow would read them
            return pandas.DataFrame({"sum": model_input.sum(axis=1) * params["by"], "rows": len(model_input)})

    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    answer = pandas.DataFrame({"sum": [1.0], "rows": [1]})
    signature = infer_signature(frame, answer, params={"by": 1})
    pyfunc.save_model(tmp_path / "m", python_model=Sums(), signature=signature, pip_requirements=[])
    model = formats.load("mlflow", "m", tmp_path / "m", {})
    assert model.signature.columns == ("a", "b")
    assert [output.name for output in model.signature.outputs] == ["sum", "rows"]
    assert rows(model, [{"b": 2, "a": 1}, {"b": 3, "a": 0.5}]) == [{"sum": 3.0, "rows": 2}, {"sum": 3.5, "rows": 2}]
    given = {"a": np.array([1.0]), "b": np.array([2])}
    assert model.predict(Inputs(given, named=True, parameters={"by": 2}))["sum"].tolist() == [6.0]
    with pytest.raises(Refusal, match="wants the columns b too"):
        rows(model, [{"a": 1}])
