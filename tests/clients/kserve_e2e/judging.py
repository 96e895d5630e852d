"""Runs upstream's tests with their own pytest, some side by side, and reads what came of each from its report."""

from __future__ import annotations

import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.clients.kserve_e2e.places import Ground

_LIMIT = 900


@dataclass(frozen=True)
class Verdict:
    """`outcome` is passed, failed or skipped; `said` the last line of its error."""

    test: str
    outcome: str
    seconds: float
    said: str = ""


def judge(python: str, upstream: Path, ground: Ground, tests: Sequence[str], at_once: int) -> list[Verdict]:
    """Each test in a process of its own: their waits are long, and most of them is waiting."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda test: _one(python, upstream, ground, test), tests))


def _one(python: str, upstream: Path, ground: Ground, test: str) -> Verdict:
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "log_cli=false"]
        command += [f"--junitxml={report.name}", test]
        try:
            subprocess.run(
                command,
                cwd=upstream / "test/e2e",
                env=ground.environment(),
                capture_output=True,
                timeout=_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            verdict = Verdict(test, "failed", _LIMIT, f"not over after {_LIMIT} seconds")
        else:
            verdict = _read(test, Path(report.name))
    print(f"{verdict.outcome:8} {verdict.test:90} {verdict.seconds:6.1f} s  {verdict.said}", flush=True)
    return verdict


def _read(test: str, report: Path) -> Verdict:
    try:
        case = next(ET.parse(report).iter("testcase"))
    except (ET.ParseError, StopIteration):
        return Verdict(test, "failed", 0.0, "it was not collected")
    seconds = float(case.get("time") or 0)
    for kind, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(kind)
        if found is not None:
            lines = (found.get("message") or "").strip().splitlines() or [""]
            return Verdict(test, outcome, seconds, lines[0][:200])
    return Verdict(test, "passed", seconds)
