"""scikit-learn: probabilities, skops files and what they may hold, MLServer's names."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fairway.serving.inpod import formats
from fairway.serving.inpod.model import CannotLoad, Tensor

from .asking import TWO_FLOWERS, arrays, rows


def iris() -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))


def halve(rows: np.ndarray) -> np.ndarray:
    return rows / 2


@pytest.mark.parametrize("file", ["model.joblib", "model.pkl", "model.pickle"])
def test_pickles_of_each_ending(tmp_path: Path, file: str) -> None:
    if file.endswith("joblib"):
        joblib.dump(iris(), tmp_path / file)
    else:
        (tmp_path / file).write_bytes(pickle.dumps(iris()))
    assert rows(formats.load("", "m", tmp_path, {}), TWO_FLOWERS) == [1, 1]


def test_probabilities_are_asked_for_as_in_kserve(tmp_path: Path) -> None:
    joblib.dump(iris(), tmp_path / "model.joblib")
    model = formats.load("sklearn", "m", tmp_path, {"PREDICT_PROBA": "true"})
    assert model.signature.outputs == (Tensor("output-0", "FP64", (-1, 3)),)
    np.testing.assert_allclose(rows(model, TWO_FLOWERS), iris().predict_proba(TWO_FLOWERS))
    with pytest.raises(CannotLoad, match="predict_proba is 'perhaps'; set it to true or false"):
        formats.load("sklearn", "m", tmp_path, {"PREDICT_PROBA": "perhaps"})


def test_the_only_column_of_a_frame_is_taken_in_the_shape_that_the_metadata_says(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    joblib.dump(LinearRegression().fit(pandas.DataFrame({"rooms": [1, 2]}), [150, 250]), tmp_path / "model.joblib")
    model = formats.load("", "m", tmp_path, {})
    assert model.signature.inputs == (Tensor("rooms", "FP64", (-1,)),)
    for given in ([3, 4], [[3], [4]]):
        np.testing.assert_allclose(arrays(model, rooms=given)["output-0"], [350, 450])


def test_a_pipeline_with_a_step_that_was_never_fitted_does_not_load(tmp_path: Path) -> None:
    joblib.dump(make_pipeline(StandardScaler(), iris()), tmp_path / "model.joblib")
    with pytest.raises(CannotLoad, match=r"holds a StandardScaler that was saved before fit\(\)"):
        formats.load("sklearn", "m", tmp_path, {})


def test_mlserver_names_the_answer_predict_and_gives_a_column(tmp_path: Path) -> None:
    joblib.dump(iris(), tmp_path / "model.joblib")
    model = formats.load("sklearn", "m", tmp_path, {"MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel"})
    assert model.signature.outputs == (Tensor("predict", "INT64", (-1, 1)),)
    assert arrays(model, x=TWO_FLOWERS)["predict"].tolist() == [[1], [1]]


def test_skops_files_make_only_types_that_are_trusted(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(*load_iris(return_X_y=True))
    skops.dump(fitted, tmp_path / "model.skops")
    assert len(rows(formats.load("", "m", tmp_path, {}), TWO_FLOWERS)) == 2

    skops.dump(make_pipeline(FunctionTransformer(halve), iris()), tmp_path / "model.skops")
    with pytest.raises(CannotLoad) as refused:
        formats.load("sklearn", "m", tmp_path, {})
    assert f"types that are not trusted: {__name__}.halve" in str(refused.value)
    assert "environment variable SKOPS_TRUSTED_TYPES" in str(refused.value)
    model = formats.load("sklearn", "m", tmp_path, {"SKOPS_TRUSTED_TYPES": f"{__name__}.halve"})
    assert len(rows(model, TWO_FLOWERS)) == 2

    (tmp_path / "model.skops").write_text("no model")
    with pytest.raises(CannotLoad, match="is not a skops file"):
        formats.load("sklearn", "m", tmp_path, {})
