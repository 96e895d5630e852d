"""Formats: from a file or folder to a `Model` (see `model.py`), each by a loader of its own.

`load` finds the loader by the format's name and imports it then: a loader imports the package that reads its format,
and whoever serves one format must not pay for the others. A loader is a module here with
`load(name, location, options) -> Model`; what goes wrong there becomes `CannotLoad`, one sentence.

Loaders find their file by `files`, say what fails by `failures`, read what people set by `settings`, and bring what a
client sent into the model's form by `tables` (rows and columns) or `arguments` (tensors).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from fairway.serving.inpod.formats import detecting, settings
from fairway.serving.inpod.model import CannotLoad, Model

LOADERS: Mapping[str, str] = {
    "sklearn": "sklearn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "onnx": "onnx",
    "pytorch": "pytorch",
    "pmml": "pmml",
    "huggingface": "huggingface",
    "mlflow": "mlflow",
    "tensorflow": "tensorflow",
}
"""KServe's name of a format: the module here that loads it."""

PREDICTIVE = ("sklearn", "xgboost", "lightgbm")
"""What KServe's predictiveserver loads, told by its flag --framework."""

REFUSED: Mapping[str, str] = {
    "paddle": "convert the model to ONNX with paddle2onnx, and set the format to onnx",
    "autogluon": "serve it as a program of your own that loads the predictor",
}


def load(format: str, name: str, location: Path, options: Mapping[str, str]) -> Model:
    """Find, load and try the model. An empty format is told by the files. Raises CannotLoad.

    `options` are environment variables, and flags of KServe's servers by their names (nthread, framework, ...).
    """
    wanted = format or detecting.format_of(location)
    if wanted == "predictive":
        wanted = _framework(options)
    if wanted in REFUSED:
        raise CannotLoad(f"The model format {wanted} is not served here; {REFUSED[wanted]}.")
    if wanted not in LOADERS:
        raise CannotLoad(f"The model format {wanted!r} is not known; it must be one of {', '.join(sorted(LOADERS))}.")
    loader = import_module(f"{__name__}.{LOADERS[wanted]}")
    model: Model = loader.load(name, location, options)
    return model


def _framework(options: Mapping[str, str]) -> str:
    said = settings.text(options, "framework", PREDICTIVE[0])
    if said not in PREDICTIVE:
        raise CannotLoad(f"framework is {said!r}; set it to one of {', '.join(PREDICTIVE)}.")
    return said
