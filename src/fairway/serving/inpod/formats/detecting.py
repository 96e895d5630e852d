"""Which format a model has, told by its files, for models that are served without saying it.

A guess that could be wrong is not made: where two formats fit, or none, a sentence asks for the format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fairway.serving.inpod.formats import files
from fairway.serving.inpod.model import CannotLoad

_ENDINGS = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".skops": "sklearn",
    ".ubj": "xgboost",
    ".xgb": "xgboost",
    ".lgb": "lightgbm",
    ".onnx": "onnx",
    ".pmml": "pmml",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".pt2": "pytorch",
    ".pdmodel": "paddle",
    ".pdiparams": "paddle",
}
_ASK = "set the format (modelFormat) to say which it is"


def format_of(location: Path) -> str:
    """Raises CannotLoad."""
    if location.is_file():
        found = {format for format in (_of_file(location),) if format}
    else:
        folder = files.newest(location)
        found = set(_of_folder(folder)) or {format for file in files.entries(folder) if (format := _of_file(file))}
    if len(found) > 1:
        raise CannotLoad(f"{location} has files of several formats, {' and '.join(sorted(found))}; {_ASK}.")
    if not found:
        raise CannotLoad(f"{location} has no model whose format can be told by its files; {_ASK}.")
    return found.pop()


def by_name(name: str) -> str:
    """The format of a file that is elsewhere, by its ending; empty where several formats have it."""
    return _ENDINGS.get(Path(name).suffix, "")


def _of_folder(folder: Path) -> Iterator[str]:
    """Formats that are whole folders, by the file that makes them one; the files beside it are theirs."""
    if (folder / "MLmodel").is_file():
        yield "mlflow"
    elif (folder / "saved_model.pb").is_file():
        yield "tensorflow"
    elif (folder / "config.json").is_file() and (_has(folder, ".safetensors") or _has(folder, ".bin")):
        yield "huggingface"


def _has(folder: Path, suffix: str) -> bool:
    return any(file.suffix == suffix for file in files.entries(folder))


def _of_file(path: Path) -> str:
    """Empty where the file is no model, or where its beginning does not tell."""
    if not path.is_file():
        return ""
    if path.suffix in _ENDINGS:
        return _ENDINGS[path.suffix]
    if path.suffix not in (".bst", ".txt", ".json"):
        return ""
    with path.open("rb") as file:
        start = file.read(512)
    if path.suffix != ".json" and start.startswith(b"tree\n"):
        return "lightgbm"
    xgboost = (path.suffix == ".bst" and start[:1] in (b"{", b"b")) or b'"learner"' in start
    return "xgboost" if xgboost else ""
