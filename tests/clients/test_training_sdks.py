"""The unmodified packages `kubeflow`, `kubeflow-katib` and `kubeflow-training` against `fairway up`.

What they ask of Kubernetes: their objects, pods by label, logs as they come, events, conditions. They pin other
versions than Fairway needs, so they have an environment of their own: $FAIRWAY_SDKS_PYTHON.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Installation, installation

__all__ = ["installation"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

VARIABLE = "FAIRWAY_SDKS_PYTHON"


def test_the_sdks_of_training_and_tuning_find_a_kubernetes(installation: Installation) -> None:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"name an interpreter that has kubeflow, kubeflow-katib and kubeflow-training in {VARIABLE}")
    server = installation.up()
    script = Path(__file__).with_name("training_session.py")
    result = subprocess.run([python, str(script), str(server.kubeconfig)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    seen = ["kubeflow", "kubeflow-katib", "kubeflow-training"]
    assert [line for line in result.stdout.splitlines() if line in seen] == seen
