"""Where a checkout of kubeflow/pipelines lies, for what is judged by upstream's own files. See README.md."""

import os
from pathlib import Path

import pytest

VARIABLE = "FAIRWAY_KFP_CHECKOUT"


def checkout(*needed: str) -> Path:
    """The checkout, with all the files that are needed of it; without it the test is skipped, and says so."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names no checkout of kubeflow/pipelines")
    folder = Path(named).expanduser().absolute()
    for path in needed:
        assert (folder / path).exists(), f"{folder} has no {path}; it is not a checkout of kubeflow/pipelines"
    return folder
