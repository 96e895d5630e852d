"""The models that upstream's tests name, made here: small ones that answer what the tests expect.

Each lies at the path of its address, so that one mirror for each bucket is enough.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.dummy import DummyRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

BUCKETS = ("gs://kfserving-examples", "gs://seldon-models")

_NEWS = 19
_HOUSE = 12.202832815138274
_SCORES = {
    (6.8, 2.8, 4.8, 1.4): (-11.640367693601698, 0.0, -7.179843824614542),
    (6.0, 3.4, 4.5, 1.6): (-12.21112000340029, 0.0, -12.69704119309557),
}
"""Of each class, before LightGBM makes probabilities of them: for these rows, to the last bit, those in the tests."""


def make(root: Path, data: Path) -> tuple[str, ...]:
    """All of them below `root`; gives the mirrors. `data` is upstream's folder of requests."""
    examples = root / "kfserving-examples" / "models"
    _sklearn(examples / "sklearn" / "1.0" / "model")
    _sklearn(root / "seldon-models" / "sklearn" / "mms" / "lr_model")
    _news(examples / "sklearn" / "newsgroup", data / "news_grouping_input_v1.json")
    _mixed(examples / "sklearn" / "1.3" / "mixedtype", data / "sklearn_mixed.json")
    for name in ("xgboost/1.5/model", "xgboost/iris"):
        _xgboost(examples / name)
    _xgboost(root / "seldon-models" / "xgboost" / "mms" / "iris")
    _lightgbm(examples / "lightgbm/iris")
    _exact_lightgbm(examples / "lightgbm/v2/iris")
    return tuple(f"{bucket}={root / bucket.removeprefix('gs://')}" for bucket in BUCKETS)


def _place(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sklearn(folder: Path) -> None:
    joblib.dump(SVC(gamma="scale").fit(*load_iris(return_X_y=True)), _place(folder) / "model.joblib")


def _news(folder: Path, request: Path) -> None:
    """Twenty groups, of which one has the words of the request."""
    text = json.loads(request.read_text())["inputs"][0]
    texts, groups = [*(f"word{group}" for group in range(_NEWS)), text], [*range(_NEWS), _NEWS]
    joblib.dump(make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, groups), _place(folder) / "model.joblib")


def _mixed(folder: Path, request: Path) -> None:
    """A frame of words and numbers; the price of every house is the one that the test expects."""
    row = json.loads(request.read_text())
    frame = pd.DataFrame([row, row])
    words = [name for name, value in row.items() if isinstance(value, str)]
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), words), remainder="passthrough")
    joblib.dump(make_pipeline(columns, DummyRegressor()).fit(frame, [_HOUSE, _HOUSE]), _place(folder) / "model.joblib")


def _xgboost(folder: Path) -> None:
    """Classes as the example of upstream's has them: numbers, and not probabilities."""
    import xgboost  # noqa: PLC0415  optional

    rows, classes = load_iris(return_X_y=True)
    settings: dict[str, Any] = {"objective": "multi:softmax", "num_class": 3, "max_depth": 3}
    booster = xgboost.train(settings, xgboost.DMatrix(rows, label=classes), num_boost_round=10)
    booster.save_model(_place(folder) / "model.bst")


def _lightgbm(folder: Path) -> None:
    import lightgbm  # noqa: PLC0415  optional

    rows, classes = load_iris(return_X_y=True, as_frame=True)
    rows.columns = [name.replace(" ", "_") for name in rows.columns]
    settings: dict[str, Any] = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_leaves": 7}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, label=classes), num_boost_round=30)
    booster.save_model(_place(folder) / "model.bst")


def _exact_lightgbm(folder: Path) -> None:
    """A tree for each class that only tells the two rows of the tests apart; its leaves are the scores."""
    import lightgbm  # noqa: PLC0415  optional

    kinds = (
        (0, 0, 1, 2, 2, 2),
        (0, 1, 1, 1, 1, 2),
    )  # no class as often in one row as in the other, so that each splits
    rows = np.array([row for row, classes in zip(_SCORES, kinds, strict=True) for _ in classes])
    settings: dict[str, Any] = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_leaves": 2}
    settings |= {"min_data_in_leaf": 1, "min_data_in_bin": 1, "boost_from_average": False}
    data = lightgbm.Dataset(rows, label=[kind for classes in kinds for kind in classes], params=settings)
    booster = lightgbm.train(settings, data, num_boost_round=1)
    leaves = booster.predict(np.array(list(_SCORES)), pred_leaf=True)
    for scores, places in zip(_SCORES.values(), leaves, strict=True):
        for tree, (score, leaf) in enumerate(zip(scores, places, strict=True)):
            booster.set_leaf_output(tree, int(leaf), score)
    booster.save_model(_place(folder) / "model.bst")
