"""`kill -9` of the server in the middle of a run: the run ends as it should, and no step runs twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from fairway.cli import connection
from tests.e2e.conftest import Installation, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

PIPELINE = """
from kfp import dsl

@dsl.component
def note(journal: str, name: str, seconds: float) -> str:
    import os, time

    def write(word):
        with open(journal, "a") as file:
            file.write(f"{name} {word} {time.time()}\\\\n")

    write("begins")
    time.sleep(seconds)
    write("ends")
    return name

@dsl.component
def join(journal: str, names: list) -> int:
    with open(journal, "a") as file:
        file.write(f"join begins {len(names)}\\\\n")
    return len(names)

@dsl.pipeline(name="journal")
def pipeline(journal: str) -> int:
    first = note(journal=journal, name="first", seconds=0.3).set_caching_options(False)
    with dsl.ParallelFor(["a", "b", "c", "d", "e", "f"], parallelism=3) as name:
        one = note(journal=journal, name=name, seconds=0.4).set_caching_options(False).after(first)
    last = join(journal=journal, names=dsl.Collected(one.output)).set_caching_options(False)
    return last.output
""".replace("\\\\n", "\\n")


def test_kill_at_random_points_loses_nothing_and_repeats_nothing(installation: Installation, tmp_path: Path) -> None:
    source, journal = tmp_path / "pipeline.py", tmp_path / "journal"
    source.write_text(PIPELINE)
    installation.up()
    started = installation.fairway("run", str(source), "--param", f"journal={journal}", "--no-follow")
    run_id = started.stdout.split()[-1]
    for _ in range(4):
        time.sleep(random.uniform(0.05, 0.6))
        installation.kill()
        installation.up()

    def state() -> str:
        run = installation.server.call("GET", f"/apis/v2beta1/runs/{run_id}")
        return str(run.get("state"))

    eventually(lambda: state() in ("SUCCEEDED", "FAILED"), seconds=60)
    words = [line.split() for line in journal.read_text().splitlines()]
    assert state() == "SUCCEEDED", words
    begun = Counter(name for name, word, _ in words if word == "begins")
    assert begun == Counter(dict.fromkeys(("first", "a", "b", "c", "d", "e", "f", "join"), 1))
    ended = Counter(name for name, word, _ in words if word == "ends")
    assert set(ended) == {"first", "a", "b", "c", "d", "e", "f"}


def test_what_was_acknowledged_is_there_after_a_kill(installation: Installation) -> None:
    server = installation.up()

    def uids(of: connection.Server) -> set[str]:
        return {one["metadata"]["uid"] for one in of.call("GET", "/k8s/api/v1/namespaces")["items"]}

    before = uids(server)
    installation.kill()
    assert uids(installation.up()) == before
