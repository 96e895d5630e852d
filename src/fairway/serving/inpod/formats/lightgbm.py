"""LightGBM models: the text form, as KServe's .bst, as .txt, or as MLflow's .lgb. Nothing in these files runs.

Rows with names are put into the order of the training; a column that a request does not have is a missing value, as
KServe's own server takes it. Importing lightgbm takes about 1.2 s and 130 MB, scikit-learn and pandas among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairway.serving.inpod.formats import failures, files, outputs, settings, tables
from fairway.serving.inpod.formats.outputs import Naming
from fairway.serving.inpod.model import Array, Inputs, Signature, Tensor

SUFFIXES = (".bst", ".txt", ".lgb")
_NO_NAME = re.compile(r"Column_\d+")


@dataclass(frozen=True, slots=True)
class Booster:
    """`frames`: some columns are categories, which only a frame can say."""

    name: str
    lightgbm: Any
    booster: Any
    signature: Signature
    naming: Naming
    threads: int
    width: int
    frames: bool
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        columns = self.signature.columns
        if self.frames:
            rows = tables.categories(inputs, columns, self.name, may_miss=True)
        else:
            rows = tables.numbers(inputs, columns, self.width, self.name, may_miss=True)
        with failures.predicting(self.name, input_errors=(ValueError, TypeError, self.lightgbm.basic.LightGBMError)):
            return self.naming.named(np.asarray(self.booster.predict(rows, num_threads=self.threads)))

    def close(self) -> None:
        """The booster goes with its last user."""


def load(name: str, location: Path, options: Mapping[str, str]) -> Booster:
    lightgbm = failures.package("lightgbm", extra="lightgbm", wanted_for="A LightGBM model")
    path = files.one(location, SUFFIXES, advice="save the model there with save_model('model.bst').")
    with failures.loading(path, "a model that lightgbm can load", "Save it with booster_.save_model()."):
        booster = lightgbm.Booster(model_str=_text(path))
    naming = outputs.naming(options)
    frames = bool(booster.pandas_categorical)
    return Booster(
        name,
        lightgbm,
        booster,
        _signature(booster, naming),
        naming,
        settings.threads(options),
        booster.num_feature(),
        frames,
    )


def _text(path: Path) -> str:
    text = path.read_text()
    if not text.startswith("tree\n"):
        raise ValueError("the file does not begin as LightGBM's text form does")
    return text


def _signature(booster: Any, naming: Naming) -> Signature:
    names = tuple(booster.feature_name())
    columns = () if all(map(_NO_NAME.fullmatch, names)) else names
    inputs = tuple(Tensor(column, "FP64", (-1,)) for column in columns)
    answers = booster.num_model_per_iteration()
    output = naming.declared("FP64", (-1,) if answers == 1 else (-1, answers))
    return Signature("lightgbm", inputs or (Tensor("input-0", "FP64", (-1, len(names))),), (output,), columns)
