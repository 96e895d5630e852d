"""Skops files: scikit-learn models without pickle. Nothing in the file runs, and only types that are trusted are made.

skops trusts scikit-learn's and numpy's own; others are named in the refusal, for a person to decide about.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.serving.inpod.formats import failures, settings
from fairway.serving.inpod.model import CannotLoad

_TRUSTED = "SKOPS_TRUSTED_TYPES"


def read(path: Path, options: Mapping[str, str]) -> Any:
    io = failures.package("skops.io", extra="skops", wanted_for=f"{path.name}, a skops file,")
    trusted = settings.text(options, _TRUSTED).replace(",", " ").split()
    with failures.loading(path, "a skops file that can be read here", "Save it with skops.io.dump()."):
        unknown = sorted(set(io.get_untrusted_types(file=path)) - set(trusted))
        if unknown:
            raise CannotLoad(
                f"{path} holds types that are not trusted: {', '.join(unknown)}. If you trust whoever made the file, "
                f"name them in the predictor's environment variable {_TRUSTED}, separated by commas."
            )
        return io.load(path, trusted=trusted)
