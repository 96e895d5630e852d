"""Skops files: scikit-learn models without pickle. Nothing in the file runs, and only types that are trusted are made.

skops trusts scikit-learn's and numpy's own, and here LightGBM's and XGBoost's are trusted as well, whose state is the
text of a model. Others are named in the refusal, for a person to decide about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.serving.inpod.formats import failures, settings
from fairway.serving.inpod.model import CannotLoad

_TRUSTED = "SKOPS_TRUSTED_TYPES"

_BOOSTERS = re.compile(r"collections\.OrderedDict|lightgbm\.(basic|sklearn)\.\w+|xgboost\.(core|sklearn)\.\w+")


def read(path: Path, options: Mapping[str, str]) -> Any:
    io = failures.package("skops.io", extra="skops", wanted_for=f"{path.name}, a skops file,")
    trusted = settings.text(options, _TRUSTED).replace(",", " ").split()
    with failures.loading(path, "a skops file that can be read here", "Save it with skops.io.dump()."):
        asked = set(io.get_untrusted_types(file=path))
        trusted += filter(_BOOSTERS.fullmatch, asked)
        if unknown := sorted(asked - set(trusted)):
            raise CannotLoad(
                f"{path} holds types that are not trusted: {', '.join(unknown)}. If you trust whoever made the file, "
                f"name them in the predictor's environment variable {_TRUSTED}, separated by commas."
            )
        return io.load(path, trusted=trusted)
