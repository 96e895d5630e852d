"""What users wrote themselves, as an API: `load` makes a `Program` (or what `Speaks`) of a file, a folder or a module.

`finding` looks for what is meant in it; then `plain` wraps a class or a function that knows nothing of us, `kserve` a
class that was written for KServe (`kserve_api` is KServe's interface, `site` its place on the path), `asgi` a web
application and `r` an R script. What generates text is given to `openai`. `failures` says what their exceptions
become, `loops` keeps their coroutines away from the server's. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMATS = ("python", "r", "asgi")
"""The model formats whose files are programs."""

SITE = Path(__file__).parent / "site"
"""What a pod has on its PYTHONPATH, so that `import kserve` finds something."""


def takes(format: str, location: Path, options: Mapping[str, str]) -> bool:
    """Whether it is loaded here and not by `formats`: a program, also one in a folder with nothing else, and a Hugging
    Face model that generates text or has an endpoint of OpenAI's. It imports nothing of anybody's."""
    if format in FORMATS:
        return True
    return bool(importlib.import_module(f"{__name__}.loading").takes(format, location, options))


def load(format: str, name: str, location: Path, options: Mapping[str, str]) -> Any:
    """A Program, or what Speaks, as `formats.load` gives a Model. Raises CannotLoad.

    `options` are environment variables; FAIRWAY_PROGRAM says what to serve where a folder holds several things:
    `file.py:Name`, `package.module:name` or `script.R`.
    """
    loading = importlib.import_module(f"{__name__}.loading")  # keeps this module light
    return loading.load(format, name, location, options)
