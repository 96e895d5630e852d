"""XGBoost and LightGBM: files of all endings, columns by name, missing values, and KServe's shapes of answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from fairway.serving.inpod import formats
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Tensor

from .asking import TWO_FLOWERS, arrays, rows

ROWS, CLASSES = load_iris(return_X_y=True)
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]
AS_MLSERVER = {"MLSERVER_MODEL_NAME": "m"}


@pytest.fixture
def xgboost() -> Any:
    return pytest.importorskip("xgboost", reason="xgboost is not installed")


@pytest.fixture
def lightgbm() -> Any:
    return pytest.importorskip("lightgbm", reason="lightgbm is not installed")


def grown(xgboost: Any, objective: str, data: Any = ROWS, **more: Any) -> Any:
    matrix = xgboost.DMatrix(data, label=CLASSES, **more)
    return xgboost.train({"objective": objective, "num_class": 3, "nthread": 1}, matrix, 5)


def frame_grown(lightgbm: Any, data: Any) -> Any:
    parameters = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    return lightgbm.train(parameters, lightgbm.Dataset(data, label=CLASSES), 20)


@pytest.mark.parametrize("file", ["model.json", "model.ubj", "model.bst"])
def test_xgboost_is_loaded_from_each_of_its_endings(xgboost: Any, tmp_path: Path, file: str) -> None:
    raw = grown(xgboost, "multi:softmax").save_raw("json" if file.endswith("json") else "ubj")
    (tmp_path / file).write_bytes(raw)
    model = formats.load("", "m", tmp_path, {"nthread": "1"})
    assert model.signature.platform == "xgboost"
    assert model.signature.inputs == (Tensor("input-0", "FP32", (-1, 4)),)
    assert model.signature.outputs == (Tensor("output-0", "FP32", (-1,)),)
    assert rows(model, TWO_FLOWERS) == [1.0, 1.0]
    assert rows(model, [dict(zip("abcd", row, strict=True)) for row in TWO_FLOWERS]) == [1.0, 1.0]
    with pytest.raises(Refusal, match=r"wants rows of 4 numbers, not the shape \[1, 3\]"):
        rows(model, [[1, 2, 3]])
    with pytest.raises(Refusal, match="takes numbers"):
        rows(model, [["a", 2, 3, 4]])


def test_xgboost_answers_probabilities_with_a_column_for_each_class(xgboost: Any, tmp_path: Path) -> None:
    grown(xgboost, "multi:softprob").save_model(tmp_path / "model.json")
    model = formats.load("xgboost", "m", tmp_path, {})
    assert model.signature.outputs == (Tensor("output-0", "FP32", (-1, 3)),)
    answer = arrays(model, anything=TWO_FLOWERS)["output-0"]
    assert answer.dtype == np.float32
    assert answer.argmax(axis=1).tolist() == [1, 1]


def test_xgboost_takes_columns_by_name_in_any_order(xgboost: Any, tmp_path: Path) -> None:
    grown(xgboost, "multi:softmax", feature_names=NAMES).save_model(tmp_path / "model.ubj")
    model = formats.load("xgboost", "m", tmp_path, {})
    assert model.signature.columns == tuple(NAMES)
    assert model.signature.inputs[1] == Tensor("sepal width", "FP32", (-1,))
    shuffled = [{name: row[NAMES.index(name)] for name in reversed(NAMES)} for row in TWO_FLOWERS]
    assert rows(model, shuffled) == rows(model, TWO_FLOWERS) == [1.0, 1.0]
    with pytest.raises(Refusal, match="wants the columns petal length too"):
        rows(model, [{name: 1 for name in NAMES if name != "petal length"}])


def test_xgboost_of_lines_and_of_categories(xgboost: Any, tmp_path: Path) -> None:
    matrix = xgboost.DMatrix(ROWS, label=CLASSES)
    lines = xgboost.train({"booster": "gblinear", "objective": "reg:squarederror", "nthread": 1}, matrix, 3)
    lines.save_model(tmp_path / "lines.json")
    assert rows(formats.load("xgboost", "m", tmp_path / "lines.json", {}), TWO_FLOWERS) == pytest.approx(
        lines.predict(xgboost.DMatrix(np.array(TWO_FLOWERS))).tolist()
    )
    colours = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "colour": pd.Categorical(["red", "blue", "red", "blue"])})
    matrix = xgboost.DMatrix(colours, label=[0, 1, 0, 1], enable_categorical=True)
    xgboost.train({"nthread": 1, "min_child_weight": 0}, matrix, 20).save_model(tmp_path / "colours.json")
    model = formats.load("xgboost", "m", tmp_path / "colours.json", {})
    assert [tensor.datatype for tensor in model.signature.inputs] == ["FP32", "BYTES"]
    red, blue = rows(model, [{"colour": "red", "size": 1}, {"colour": "blue", "size": 2}])
    assert red < 0.2 < 0.8 < blue


@pytest.mark.parametrize("file", ["model.bst", "model.txt"])
def test_lightgbm_answers_as_kserve_s_server(lightgbm: Any, tmp_path: Path, file: str) -> None:
    booster = frame_grown(lightgbm, pd.DataFrame(ROWS, columns=NAMES))
    booster.save_model(tmp_path / file)
    model = formats.load("", "m", tmp_path, {})
    assert model.signature.columns == ("sepal_length", "sepal_width", "petal_length", "petal_width")
    assert model.signature.outputs == (Tensor("output-0", "FP64", (-1, 3)),)
    np.testing.assert_allclose(arrays(model, x=TWO_FLOWERS)["output-0"], booster.predict(np.array(TWO_FLOWERS)))
    expected = rows(model, [[5.1, 3.5, 1.4, 0.2]])
    flower = {"petal_width": 0.2, "sepal_width": 3.5, "petal_length": 1.4, "sepal_length": 5.1}
    assert rows(model, [flower]) == expected
    assert rows(model, [{name.replace("_", " "): value for name, value in flower.items()}]) == expected
    assert rows(model, [{name: [value] for name, value in flower.items()}]) == expected
    assert rows(model, [{name: {"0": value} for name, value in flower.items()}]) == expected


def test_lightgbm_takes_what_is_not_there_as_missing(lightgbm: Any, tmp_path: Path) -> None:
    booster = frame_grown(lightgbm, pd.DataFrame(ROWS, columns=NAMES))
    booster.save_model(tmp_path / "model.bst")
    model = formats.load("lightgbm", "m", tmp_path, {})
    gap = [[5.1, np.nan, 1.4, 0.2]]
    expected = booster.predict(np.array(gap)).tolist()
    assert rows(model, [{"sepal_length": 5.1, "petal_length": 1.4, "petal_width": 0.2}]) == expected
    assert rows(model, [[5.1, None, 1.4, 0.2]]) == expected
    # KServe's own examples have a list of objects with one column each: a row each, the rest of it missing.
    parts = rows(model, [[{"sepal_length": 5.1}, {"petal_length": 1.4}]])
    nan = np.nan
    np.testing.assert_allclose(parts, booster.predict(np.array([[5.1, nan, nan, nan], [nan, nan, 1.4, nan]])))
    with pytest.raises(Refusal, match="wants the columns sepal_width too, and it has no sepal_with"):
        rows(model, [{"sepal_length": 5.1, "sepal_with": 3.5, "petal_length": 1.4, "petal_width": 0.2}])


def test_lightgbm_of_plain_arrays_has_no_columns_by_name(lightgbm: Any, tmp_path: Path) -> None:
    frame_grown(lightgbm, ROWS).save_model(tmp_path / "model.bst")
    model = formats.load("lightgbm", "m", tmp_path, {})
    assert model.signature.columns == ()
    assert model.signature.inputs == (Tensor("input-0", "FP64", (-1, 4)),)
    assert rows(model, [dict(zip("abcd", TWO_FLOWERS[0], strict=True))]) == rows(model, TWO_FLOWERS[:1])


def test_lightgbm_with_categories_takes_them_as_text(lightgbm: Any, tmp_path: Path) -> None:
    colours = pd.DataFrame({"size": range(40), "colour": pd.Categorical(["red", "blue"] * 20)})
    data = lightgbm.Dataset(colours, label=[0, 1] * 20)
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2, "min_data_per_group": 2}, data)
    booster.save_model(tmp_path / "model.txt")
    model = formats.load("lightgbm", "m", tmp_path, {})
    red, blue = rows(model, [{"colour": "red", "size": 1}, {"colour": "blue", "size": 1}])
    assert red < 0.2 < 0.8 < blue


def test_as_mlserver_names_it(xgboost: Any, tmp_path: Path) -> None:
    grown(xgboost, "multi:softmax").save_model(tmp_path / "model.json")
    model = formats.load("xgboost", "m", tmp_path, AS_MLSERVER)
    assert model.signature.outputs == (Tensor("predict", "FP32", (-1, 1)),)
    assert arrays(model, x=TWO_FLOWERS)["predict"].tolist() == [[1.0], [1.0]]


def test_the_framework_of_the_predictive_server_is_told_by_its_flag(xgboost: Any, tmp_path: Path) -> None:
    grown(xgboost, "multi:softmax").save_model(tmp_path / "model.json")
    assert formats.load("predictive", "m", tmp_path, {"framework": "xgboost"}).signature.platform == "xgboost"
    with pytest.raises(CannotLoad, match="framework is 'torch'; set it to one of sklearn, xgboost, lightgbm"):
        formats.load("predictive", "m", tmp_path, {"framework": "torch"})


def test_files_that_are_no_boosters(xgboost: Any, lightgbm: Any, tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_text("hello")
    with pytest.raises(CannotLoad, match="is not a model that xgboost can load"):
        formats.load("xgboost", "m", tmp_path, {})
    with pytest.raises(CannotLoad, match="does not begin as LightGBM's text form does"):
        formats.load("lightgbm", "m", tmp_path, {})
    (tmp_path / "cut.txt").write_text("tree\nversion=v4\n")
    with pytest.raises(CannotLoad, match="is not a model that lightgbm can load"):
        formats.load("lightgbm", "m", tmp_path / "cut.txt", {})
