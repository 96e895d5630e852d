"""A scikit-learn model: found in a folder by strict rules, loaded, tried once, and asked for predictions.

Pickles (.joblib, .pkl, .pickle) run code when they load, which is why this happens in the pod and nowhere else; skops
files do not. Importing scikit-learn takes about 1 s and 120 MB where the node has no warm interpreter.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from fairway.serving.inpod import tensors
from fairway.serving.inpod.formats import failures, files, outputs, settings, skops, tables
from fairway.serving.inpod.formats.outputs import Naming
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

SUFFIXES = (".joblib", ".pkl", ".pickle", ".skops")
INPUT = "input-0"


@dataclass(frozen=True, slots=True)
class Estimator:
    """The `Model` around an estimator: `method` is predict or predict_proba."""

    name: str
    estimator: Any
    signature: Signature
    naming: Naming
    method: str = "predict"
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        rows = tables.table(inputs, self.signature.columns)
        with failures.predicting(self.name):
            return self.naming.named(np.asarray(getattr(self.estimator, self.method)(rows)))

    def close(self) -> None:
        """Nothing is held but memory."""


def load(name: str, location: Path, options: Mapping[str, str]) -> Estimator:
    """Find, load and try the model. Raises CannotLoad."""
    path = files.one(location, SUFFIXES, advice="save the model there with joblib.dump() or skops.io.dump().")
    estimator, trained_with = _read(path, options)
    model = served(name, path, estimator, options)
    _try(model, path, trained_with)
    return model


def served(name: str, path: Path, estimator: Any, options: Mapping[str, str]) -> Estimator:
    """The `Model` around an estimator that came from the file. Raises CannotLoad."""
    probabilities = settings.flag(options, "predict_proba")  # KServe's own switch
    method = "predict_proba" if probabilities else "predict"
    if not callable(getattr(estimator, method, None)):
        kind = type(estimator).__name__
        raise CannotLoad(f"{path} holds a {kind}, which has no {method}(); save a fitted scikit-learn estimator.")
    _check_fitted(estimator, path)
    naming = outputs.naming(options)
    return Estimator(name, estimator, _signature(estimator, naming, probabilities=probabilities), naming, method)


def _signature(estimator: Any, naming: Naming, *, probabilities: bool) -> Signature:
    features = getattr(estimator, "n_features_in_", None)
    columns = tuple(str(column) for column in getattr(estimator, "feature_names_in_", ()))
    shape: tuple[int, ...] = (-1,)
    datatype = "FP64"
    classes = getattr(estimator, "classes_", None)
    if isinstance(classes, np.ndarray):
        shape = (-1, len(classes)) if probabilities else (-1,)
        datatype = "FP64" if probabilities else tensors.name_of(classes.dtype)
    width = () if columns else (-1 if features is None else features,)
    given = "BYTES" if features is None else "FP64"
    return Signature(
        "sklearn",
        tuple(Tensor(column, given, (-1, *width)) for column in columns or (INPUT,)),
        (naming.declared(datatype, shape),),
        columns,
        batches=isinstance(estimator, BaseEstimator),  # of a class that somebody wrote nobody knows
    )


def _read(path: Path, options: Mapping[str, str]) -> tuple[Any, str]:
    """The object in the file, and the version of scikit-learn that saved it where that is not ours."""
    if path.suffix == ".skops":
        return skops.read(path, options), ""
    advice = f"Save it with joblib.dump() under scikit-learn {sklearn.__version__}, the version installed here."
    with failures.loading(path, "a model that joblib can load", advice), warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        estimator = joblib.load(path)
    versions = [note.message for note in notes if isinstance(note.message, InconsistentVersionWarning)]
    return estimator, versions[-1].original_sklearn_version if versions else ""


def _check_fitted(estimator: Any, path: Path) -> None:
    """A pipeline says that it is fitted when its last step is."""
    for part in (estimator, *(step for _, step in getattr(estimator, "steps", ()))):
        if not isinstance(part, BaseEstimator):
            continue  # anything with a predict() is served; a step may be a word
        try:
            check_is_fitted(part)
        except NotFittedError:
            raise CannotLoad(f"{path} holds a {type(part).__name__} that was saved before fit().") from None


def _try(model: Estimator, path: Path, trained_with: str) -> None:
    """One prediction of zeros: finds models of another version that load but do not work, and warms the rest up."""
    first = model.signature.inputs[0]
    if first.datatype == "BYTES" or model.signature.columns:
        return  # text, or columns by name: zeros would prove nothing
    try:
        model.predict(Inputs({INPUT: np.zeros((1, first.shape[1]))}))
    except Refusal as refusal:
        if trained_with and isinstance(refusal.__cause__, AttributeError):
            raise CannotLoad(
                f"{path} was saved by scikit-learn {trained_with} and does not work with {sklearn.__version__}, "
                f"the version installed here: {failures.one_line(refusal.__cause__)}. Train and save it again."
            ) from refusal
