"""`fairway stop` in the middle of a run: it is quick, nothing stays behind, and the run goes on at the next start."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.conftest import Installation, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

PIPELINE = """
from kfp import dsl

@dsl.component
def begin(journal: str, gate: str) -> str:
    import os, time
    with open(journal, "a") as file:
        file.write("python\\\\n")
    while not os.path.exists(gate):
        time.sleep(0.02)
    return "done"

@dsl.container_component
def shell(journal: str, gate: str):
    return dsl.ContainerSpec(
        image="python:3.11",
        command=["sh", "-c", 'echo shell >> "$0"; trap "exit 3" TERM; until test -e "$1"; do sleep 0.05; done'],
        args=[journal, gate],
    )

@dsl.component
def finish(journal: str, text: str):
    with open(journal, "a") as file:
        file.write("last\\\\n")

@dsl.pipeline(name="interrupted")
def pipeline(journal: str, gate: str):
    one = begin(journal=journal, gate=gate).set_caching_options(False)
    two = shell(journal=journal, gate=gate).set_caching_options(False)
    finish(journal=journal, text=one.output).set_caching_options(False).after(two)
""".replace("\\\\n", "\\n")


def test_a_run_that_is_stopped_with_the_platform_goes_on_and_succeeds(
    installation: Installation, tmp_path: Path
) -> None:
    """One step dies of the signal, the other says itself that it failed: neither is to blame, neither may retry."""
    source, journal, gate = tmp_path / "pipeline.py", tmp_path / "journal", tmp_path / "gate"
    source.write_text(PIPELINE)
    installation.up()
    words = ("--param", f"journal={journal}", "--param", f"gate={gate}")
    run_id = installation.fairway("run", str(source), *words, "--no-follow").stdout.split()[-1]

    def begun() -> Counter[str]:
        return Counter(journal.read_text().split()) if journal.exists() else Counter()

    eventually(lambda: begun() == {"python": 1, "shell": 1})
    begin = time.monotonic()
    installation.stop()
    assert time.monotonic() - begin < 25  # nobody gets the 30 s that a pod may ask for
    eventually(lambda: not _processes(installation.folder), seconds=60)
    assert begun() == {"python": 1, "shell": 1}
    installation.up()
    eventually(lambda: begun() == {"python": 2, "shell": 2})
    gate.touch()

    def state() -> str:
        return str(installation.server.call("GET", f"/apis/v2beta1/runs/{run_id}").get("state"))

    eventually(lambda: state() in ("SUCCEEDED", "FAILED"), seconds=60)
    assert state() == "SUCCEEDED"
    assert begun() == {"python": 2, "shell": 2, "last": 1}


def _processes(folder: Path) -> list[str]:
    """Command lines of what runs in the name of a data directory, or in a folder of it."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                place = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if str(folder) in line or place.startswith(str(folder)):
                found.append(line)
    return found
