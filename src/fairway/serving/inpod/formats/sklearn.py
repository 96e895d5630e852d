"""A scikit-learn model: found in a folder by strict rules, loaded, tried once, and asked for predictions.

Pickles run code when they load, which is why this happens in the pod and nowhere else. Whatever goes wrong
becomes `CannotLoad` with one sentence that says what to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
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
from fairway.serving.inpod.formats import tables
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

SUFFIXES = (".joblib", ".pkl", ".pickle")
INPUT, OUTPUT = "input-0", "output-0"
"""As KServe's own scikit-learn server names them."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """The `Model` around an estimator: `method` is predict or predict_proba."""

    name: str
    estimator: Any
    signature: Signature
    method: str = "predict"
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        rows = tables.table(inputs, self.signature.columns)
        try:
            return {OUTPUT: np.asarray(getattr(self.estimator, self.method)(rows))}
        except (ValueError, TypeError) as wrong:
            raise Refusal(400, f"The model {self.name} does not take this input: {_one_line(wrong)}") from wrong
        except Exception as broken:
            kind = type(broken).__name__
            raise Refusal(500, f"The model {self.name} failed: {kind}: {_one_line(broken)}") from broken

    def close(self) -> None:
        """Nothing is held but memory."""


def load(name: str, location: Path, options: Mapping[str, str]) -> Estimator:
    """Find, load and try the model. Raises CannotLoad."""
    path = find(location)
    estimator, trained_with = _unpickle(path)
    probabilities = options.get("PREDICT_PROBA", "").lower() == "true"  # KServe's own switch
    method = "predict_proba" if probabilities else "predict"
    if not callable(getattr(estimator, method, None)):
        kind = type(estimator).__name__
        raise CannotLoad(f"{path} holds a {kind}, which has no {method}(); save a fitted scikit-learn estimator.")
    _check_fitted(estimator, path)
    model = Estimator(name, estimator, _signature(estimator, probabilities=probabilities), method)
    _try(model, path, trained_with)
    return model


def _signature(estimator: Any, *, probabilities: bool) -> Signature:
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
        (Tensor(OUTPUT, datatype, shape),),
        columns,
        batches=isinstance(estimator, BaseEstimator),  # of a class that somebody wrote nobody knows
    )


def find(location: Path) -> Path:
    """The model file: the location itself, or the only .joblib, .pkl or .pickle file in it."""
    wanted = ", ".join(SUFFIXES[:-1]) + f" or {SUFFIXES[-1]}"
    try:
        if location.is_file():
            if location.suffix not in SUFFIXES:
                raise CannotLoad(f"{location} is not a model file; its name must end in {wanted}.")
            return location
        if not location.is_dir():
            raise CannotLoad(
                f"{location} does not exist; set storageUri to a model file or to the folder that holds it."
            )
        files = sorted(file for file in location.iterdir() if file.suffix in SUFFIXES and file.is_file())
    except OSError as failure:
        raise CannotLoad(f"{location} cannot be read: {failure.strerror or failure}.") from failure
    if not files:
        raise CannotLoad(f"{location} has no file that ends in {wanted}; save the model there with joblib.dump().")
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise CannotLoad(f"{location} has {len(files)} model files ({names}); keep one, or point storageUri at it.")
    return files[0]


def _unpickle(path: Path) -> tuple[Any, str]:
    """The object in the file, and the version of scikit-learn that saved it where that is not ours."""
    trained_with = ""
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            estimator = joblib.load(path)
    except ModuleNotFoundError as missing:
        raise CannotLoad(f"{path} needs the Python module {missing.name!r}, which is not installed here.") from missing
    except MemoryError as full:
        raise CannotLoad(f"{path} does not fit into memory; raise the predictor's memory limit.") from full
    except OSError as failure:
        raise CannotLoad(f"{path} cannot be read: {failure.strerror or failure}.") from failure
    except Exception as broken:  # a pickle may raise anything
        text = f"{type(broken).__name__}: {_one_line(broken)}"
        raise CannotLoad(
            f"{path} is not a model that joblib can load ({text}). Save it with joblib.dump() under "
            f"scikit-learn {sklearn.__version__}, the version installed here."
        ) from broken
    for note in notes:
        if isinstance(note.message, InconsistentVersionWarning):
            trained_with = note.message.original_sklearn_version
    return estimator, trained_with


def _check_fitted(estimator: Any, path: Path) -> None:
    if not isinstance(estimator, BaseEstimator):
        return  # anything with a predict() is served
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise CannotLoad(f"{path} holds a {type(estimator).__name__} that was saved before fit().") from None


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
                f"the version installed here: {_one_line(refusal.__cause__)}. Train and save it again."
            ) from refusal


def _one_line(error: BaseException, most: int = 400) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    text = " ".join(line.strip() for line in lines)
    return text if len(text) <= most else text[: most - 1] + "…"
