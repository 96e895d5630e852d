"""The unmodified `kserve` package against `fairway up`: its KServeClient, as a process of its own.

It pins other versions than Fairway needs, so it may have an environment of its own: $FAIRWAY_KSERVE_PYTHON.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tests.e2e.conftest import Installation, installation

__all__ = ["installation"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

VARIABLE = "FAIRWAY_KSERVE_PYTHON"


def interpreter() -> str:
    if named := os.environ.get(VARIABLE):
        return named
    if importlib.util.find_spec("kserve") is None:
        pytest.skip(f"the kserve package is not installed: name an interpreter that has it in {VARIABLE}")
    return sys.executable


def test_the_sdk_of_kserve_works_as_it_is(installation: Installation, tmp_path: Path) -> None:
    python = interpreter()
    rows, classes = load_iris(return_X_y=True)
    joblib.dump(LogisticRegression(max_iter=500).fit(rows, classes), tmp_path / "model.joblib")
    server = installation.up()
    script = Path(__file__).with_name("kserve_session.py")
    arguments = [str(server.kubeconfig), server.url, server.token, tmp_path.as_uri()]
    result = subprocess.run([python, str(script), *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    expected = [
        "created and ready",
        "read",
        "answered",
        "answered over gRPC",
        "patched and replaced",
        "credentials",
        "deleted",
    ]
    assert [line for line in result.stdout.splitlines() if line in expected] == expected
