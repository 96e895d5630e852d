"""Formats: from a file or folder to a `Model` (see `model.py`), each by a loader of its own.

`load` finds the loader by the format's name and imports it then: a loader imports the package that reads its format,
and whoever serves one format must not pay for the others. A loader is a module here with
`load(name, location, options) -> Model`; what goes wrong there becomes `CannotLoad`, one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from fairway.serving.inpod.model import CannotLoad, Model

LOADERS: Mapping[str, str] = {"sklearn": "sklearn"}
"""KServe's name of a format: the module here that loads it."""


def load(format: str, name: str, location: Path, options: Mapping[str, str]) -> Model:
    """Find, load and try the model. `options` are environment variables. Raises CannotLoad."""
    wanted = format or "sklearn"
    if wanted not in LOADERS:
        raise CannotLoad(f"The model format {wanted!r} is not known; it must be one of {', '.join(sorted(LOADERS))}.")
    loader = import_module(f"{__name__}.{LOADERS[wanted]}")
    model: Model = loader.load(name, location, options)
    return model
