"""`fairway demo`, as a script runs it: it starts the platform, holds every part, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess

import pytest

from fairway.cli.demo import example
from tests.e2e.conftest import FAIRWAY, Installation

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_demo_does_the_main_job_and_stops_what_it_started(installation: Installation) -> None:
    words = ("demo", "--exit", "--port", str(installation.port))
    first = installation.fairway(*words, timeout=200)
    assert "score on rows that no step had seen" in first.stdout
    assert "every part held" in first.stdout
    assert not installation.status()["running"]
    second = installation.fairway(*words, timeout=200)
    assert "10 steps were taken from the cache" in second.stdout


def test_the_example_runs_as_a_plain_script(platform: Installation) -> None:
    platform.fairway("login", "--no-kubectl")
    environment = {
        **os.environ,
        "HOME": str(platform.folder.parent),
        "KF_PIPELINES_ENDPOINT": f"http://127.0.0.1:{platform.port}",
    }
    script = subprocess.run(
        [FAIRWAY[0], str(example())], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert script.returncode == 0, script.stdout + script.stderr
    assert "SUCCEEDED" in script.stdout
