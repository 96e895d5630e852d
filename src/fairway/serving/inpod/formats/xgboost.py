"""XGBoost models: JSON, UBJSON, or the binary form under KServe's ending .bst. Nothing in these files runs.

Named columns are put into the order of the training. Importing xgboost takes about 1.2 s and 140 MB, scikit-learn
and pandas among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairway.serving.inpod.formats import failures, files, outputs, settings, tables
from fairway.serving.inpod.formats.outputs import Naming
from fairway.serving.inpod.model import Array, Inputs, Signature, Tensor

SUFFIXES = (".json", ".ubj", ".bst", ".xgb")


@dataclass(frozen=True, slots=True)
class Booster:
    """`frames`: some columns are categories, which only a frame can say. `quick`: no matrix has to be made first."""

    name: str
    xgboost: Any
    booster: Any
    signature: Signature
    naming: Naming
    threads: int
    width: int
    frames: bool
    quick: bool
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        columns = self.signature.columns
        if self.frames:
            rows = tables.categories(inputs, columns, self.name)
        else:
            rows = tables.numbers(inputs, columns, self.width, self.name)
        with failures.predicting(self.name, input_errors=(ValueError, TypeError, self.xgboost.core.XGBoostError)):
            return self.naming.named(np.asarray(self._ask(rows)))

    def close(self) -> None:
        """The booster goes with its last user."""

    def _ask(self, rows: Any) -> Any:
        if self.quick:
            return self.booster.inplace_predict(rows)
        names = None if self.frames else list(self.signature.columns) or None
        matrix = self.xgboost.DMatrix(rows, nthread=self.threads, feature_names=names, enable_categorical=self.frames)
        return self.booster.predict(matrix)


def load(name: str, location: Path, options: Mapping[str, str]) -> Booster:
    xgboost = failures.package("xgboost", extra="xgboost", wanted_for="An XGBoost model")
    path = files.one(location, SUFFIXES, advice="save the model there with save_model('model.json').")
    threads = settings.threads(options)
    advice = f"Save it with save_model(), under a version of xgboost not newer than {xgboost.__version__}."
    with failures.loading(path, "a model that xgboost can load", advice):
        # By its content: the endings that xgboost knows are not all that KServe's users have.
        booster = xgboost.Booster({"nthread": threads}, model_file=bytearray(path.read_bytes()))
    configuration = json.loads(booster.save_config())["learner"]
    naming = outputs.naming(options)
    signature = _signature(booster, naming, configuration)
    frames = "c" in (booster.feature_types or ())
    quick = not frames and configuration["gradient_booster"]["name"] != "gblinear"
    return Booster(name, xgboost, booster, signature, naming, threads, booster.num_features(), frames, quick)


def _signature(booster: Any, naming: Naming, configuration: Any) -> Signature:
    columns = tuple(booster.feature_names or ())
    kinds = dict(zip(columns, booster.feature_types or (), strict=False))
    named = tuple(Tensor(column, "BYTES" if kinds.get(column) == "c" else "FP32", (-1,)) for column in columns)
    inputs = named or (Tensor("input-0", "FP32", (-1, booster.num_features())),)
    return Signature("xgboost", inputs, (naming.declared("FP32", _answer_shape(configuration)),), columns)


def _answer_shape(configuration: Any) -> tuple[int, ...]:
    numbers = configuration["learner_model_param"]
    classes, targets = int(numbers["num_class"]), int(numbers.get("num_target", 1))
    if configuration["objective"]["name"] == "multi:softmax":
        return (-1,)  # the class itself
    return (-1, max(classes, targets)) if max(classes, targets) > 1 else (-1,)
