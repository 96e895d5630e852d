"""Upstream's own tests of `kfp.Client`, unmodified, against `fairway up`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.kfp_checkout import checkout
from tests.e2e.conftest import Installation, installation

__all__ = ["installation"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SUITE = "sdk/python/test/client/client_test.py"
TESTS = 14


def test_upstreams_client_tests_pass(installation: Installation, tmp_path: Path) -> None:
    source = checkout(SUITE, "test_data/sdk_compiled_pipelines/valid", "backend/api/v2beta1/python_http_client")
    server = installation.up()
    environment = {
        **os.environ,
        "HOME": str(tmp_path),  # kfp.Client keeps its namespace there
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "apiUrl": server.url,
        "namespace": "kubeflow",
        "authToken": server.token,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", SUITE]
    result = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr
    assert re.search(rf"^{TESTS} passed", result.stdout, re.MULTILINE), result.stdout[-1000:]
