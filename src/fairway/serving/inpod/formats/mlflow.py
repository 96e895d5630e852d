"""MLflow folders: what MLmodel says is there, by the loader of that format, or by MLflow's pyfunc where there is none.

scikit-learn, XGBoost, LightGBM and ONNX need no mlflow; it is asked only for other flavours and for models of classes
of one's own. The signature in MLmodel says what a request must look like, whoever loads the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fairway.serving.inpod.formats import (
    failures,
    files,
    lightgbm,
    mlflow_schema,
    onnx,
    outputs,
    settings,
    sklearn,
    tables,
    xgboost,
)
from fairway.serving.inpod.formats.mlflow_schema import Schema
from fairway.serving.inpod.formats.outputs import Naming
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Model, Signature, Tensor

_ADVICE = "Save the model there with mlflow.<flavour>.save_model()."


@dataclass(frozen=True, slots=True)
class Flavoured:
    """A model that the loader of its own format has loaded, held to MLflow's signature."""

    name: str
    model: Model
    schema: Schema
    signature: Signature
    naming: Naming

    @property
    def one_at_a_time(self) -> bool:
        return self.model.one_at_a_time

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        read = self.schema.read(inputs, self.name)
        answer = self.model.predict(self._together(read) if self.schema.columns else read)
        return self.naming.named(*answer.values()) if len(answer) == 1 else answer

    def close(self) -> None:
        self.model.close()

    def _together(self, inputs: Inputs) -> Inputs:
        """Columns of numbers as one array, for a model that was trained on arrays and knows no names."""
        own = self.model.signature
        if own.columns or len(own.inputs) > 1 or any(tensor.datatype == "BYTES" for tensor in self.schema.tensors):
            return inputs
        rows = np.column_stack(list(inputs.tensors.values()))
        return Inputs({own.inputs[0].name: rows}, parameters=inputs.parameters)


@dataclass(frozen=True, slots=True)
class PyFunc:
    """A model that MLflow itself loads and asks. `errors` are what it raises where an input does not fit."""

    name: str
    pyfunc: Any
    schema: Schema
    signature: Signature
    naming: Naming
    errors: tuple[type[Exception], ...]
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        read = self.schema.read(inputs, self.name)
        parameters = {key: read.parameters[key] for key in self.schema.parameters if key in read.parameters}
        with failures.predicting(self.name, input_errors=(ValueError, TypeError, *self.errors)):
            return self._named(self.pyfunc.predict(self._given(read), **({"params": parameters} if parameters else {})))

    def close(self) -> None:
        """The model goes with its last user."""

    def _given(self, inputs: Inputs) -> Any:
        if self.schema.tensors and not self.schema.columns:
            arrays = dict(inputs.tensors)
            return arrays if inputs.named else next(iter(arrays.values()))
        return tables.table(inputs, ())

    def _named(self, result: Any) -> Mapping[str, Array]:
        """A frame or a dict has an output for each of its columns; all else is one."""
        if hasattr(result, "columns"):
            return {str(column): np.asarray(result[column]) for column in result.columns}
        if isinstance(result, Mapping):
            return {str(key): np.asarray(value) for key, value in result.items()}
        return self.naming.named(np.atleast_1d(np.asarray(result)))


def load(name: str, location: Path, options: Mapping[str, str]) -> Model:
    folder = location.parent if location.is_file() else location
    about = _about(folder)
    signature = about.get("signature")
    schema = mlflow_schema.inputs(signature)
    naming = outputs.naming(options, of_mlserver="output-1")
    model = _by_flavour(about["flavors"], name, folder, settings.not_mlserver(options))
    if model is None:
        return _by_mlflow(name, folder, about, schema, naming)
    inner = model.signature
    declared = tuple(naming.declared(one.datatype, one.shape) for one in inner.outputs)
    known = Signature(
        "mlflow",
        schema.tensors or inner.inputs,
        declared if len(declared) == 1 else inner.outputs,
        tuple(tensor.name for tensor in schema.tensors) if schema.columns else inner.columns,
        inner.batches,
    )
    return Flavoured(name, model, schema, known, naming)


def _about(folder: Path) -> Mapping[str, Any]:
    """What the file MLmodel says."""
    files.entries(folder)  # says so where there is no such folder
    path = folder / "MLmodel"
    with failures.loading(path, "MLflow's description of a model", _ADVICE):
        found = yaml.safe_load(path.read_text())
        if not isinstance(found, dict) or not isinstance(found.get("flavors"), dict):
            raise ValueError("it has no flavors")
    return found


def _by_flavour(flavours: Mapping[str, Any], name: str, folder: Path, options: Mapping[str, str]) -> Model | None:
    """By the loader of the format; None where MLflow has to do it, as with code that lies beside the model."""
    for flavour, read in (("sklearn", _sklearn), ("xgboost", _xgboost), ("lightgbm", _lightgbm), ("onnx", _onnx)):
        said = flavours.get(flavour)
        if said and not said.get("code"):
            asked = flavours.get("python_function") or {}
            return read(name, folder, {**said, "predict_fn": asked.get("predict_fn", "predict")}, options)
    return None


def _sklearn(name: str, folder: Path, said: Mapping[str, Any], options: Mapping[str, str]) -> Model | None:
    if said["predict_fn"] not in ("predict", "predict_proba"):
        return None
    chosen = {**options, "predict_proba": "true"} if said["predict_fn"] == "predict_proba" else options
    return sklearn.load(name, folder / said["pickled_model"], chosen)


def _xgboost(name: str, folder: Path, said: Mapping[str, Any], options: Mapping[str, str]) -> Model | None:
    path = folder / said["data"]
    module, _, kind = str(said.get("model_class") or "xgboost.core.Booster").rpartition(".")
    if kind == "Booster":
        return xgboost.load(name, path, options)
    package = failures.package("xgboost", extra="xgboost", wanted_for="An XGBoost model")
    if not module.startswith("xgboost.") or not hasattr(package, kind):
        return None
    with failures.loading(path, "a model that xgboost can load", _ADVICE):
        estimator = getattr(package, kind)(n_jobs=settings.threads(options))
        estimator.load_model(path)
    return sklearn.served(name, path, estimator, options)


def _lightgbm(name: str, folder: Path, said: Mapping[str, Any], options: Mapping[str, str]) -> Model | None:
    path = folder / said["data"]
    if str(said.get("model_class") or "Booster").endswith("Booster"):
        return lightgbm.load(name, path, options)
    return sklearn.load(name, path, options)


def _onnx(name: str, folder: Path, said: Mapping[str, Any], options: Mapping[str, str]) -> Model | None:
    return onnx.load(name, folder / said["data"], options)


def _by_mlflow(name: str, folder: Path, about: Mapping[str, Any], schema: Schema, naming: Naming) -> PyFunc:
    flavours = about["flavors"]
    if "python_function" not in flavours:
        raise CannotLoad(f"{folder} has the flavours {', '.join(flavours)}, and no python_function to ask. {_ADVICE}")
    wanted_for = f"The MLflow model of {flavours['python_function'].get('loader_module')}"
    mlflow = failures.package("mlflow.pyfunc", extra="mlflow", wanted_for=wanted_for)
    with failures.loading(folder, "a folder that MLflow can load", "Install what its requirements.txt lists."):
        pyfunc = mlflow.load_model(str(folder))
    answers = mlflow_schema.outputs(about.get("signature"))
    columns = tuple(tensor.name for tensor in schema.tensors) if schema.columns else ()
    signature = Signature(
        "mlflow", schema.tensors or (Tensor("input-0", "FP64", (-1, -1)),), _declared(answers, naming), columns
    )
    errors = (failures.package("mlflow.exceptions", extra="mlflow", wanted_for=wanted_for).MlflowException,)
    return PyFunc(name, pyfunc, schema, signature, naming, errors)


def _declared(answers: Schema, naming: Naming) -> tuple[Tensor, ...]:
    if len(answers.tensors) > 1 or (answers.tensors and answers.columns):
        return answers.tensors
    only = answers.tensors[0] if answers.tensors else Tensor("output-0", "FP64", (-1,))
    return (naming.declared(only.datatype, only.shape),)
