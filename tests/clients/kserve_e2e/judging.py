"""Runs upstream's tests with their own pytest, some side by side, and reads what came of each from its report.

One pytest runs nearly all in a few processes, because importing the `kserve` package takes longer than many a test.
What asks for the whole machine goes before them, by itself: whatever fails may leave its services behind.
"""

from __future__ import annotations

import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients.kserve_e2e.places import Ground
from tests.clients.kserve_e2e.tests import alone

_LIMIT = 1500
"""Seconds for each test. Their clients try an answer of 404 again for over eight minutes, also where they expect it,
and one test expects two."""


@dataclass(frozen=True)
class Verdict:
    """`outcome` is passed, failed or skipped; `said` the first line of its error."""

    test: str
    outcome: str
    seconds: float
    said: str = ""


def judge(python: str, upstream: Path, ground: Ground, tests: Sequence[str], at_once: int) -> list[Verdict]:
    found = {}
    for round_, lanes in (([test for test in tests if alone(test)], 1),
                          ([test for test in tests if not alone(test)], at_once)):  # fmt: skip
        if round_:
            found |= _ran(python, upstream, ground, round_, lanes)
    return [found.get(key(test)) or Verdict(test, "failed", 0.0, "it did not end") for test in tests]


def _ran(python: str, upstream: Path, ground: Ground, tests: Sequence[str], at_once: int) -> dict[str, Verdict]:
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [python, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-o", "log_cli=false", "--tb=short"]
        command += ["-n", str(at_once), "--dist=worksteal", f"--timeout={_LIMIT}", f"--junitxml={report.name}", *tests]
        subprocess.run(command, cwd=upstream / "test/e2e", env=ground.environment(), check=False)
        return read(Path(report.name))


def read(report: Path) -> dict[str, Verdict]:
    """By module and name."""
    try:
        cases = list(ET.parse(report).iter("testcase"))
    except ET.ParseError:
        return {}
    verdicts = {}
    for case in cases:
        module, name = case.get("classname", ""), case.get("name", "")
        test = f"{module.replace('.', '/')}.py::{name}"
        verdicts[key(test)] = _verdict(test, case)
    return verdicts


def _verdict(test: str, case: ET.Element) -> Verdict:
    seconds = float(case.get("time") or 0)
    for kind, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(kind)
        if found is not None:
            lines = (found.get("message") or "").strip().splitlines() or [""]
            return Verdict(test, outcome, seconds, lines[0][:200])
    return Verdict(test, "passed", seconds)


def key(test: str) -> str:
    """The same wherever pytest thinks that its root is."""
    file, _, name = test.partition("::")
    return f"{'/'.join(file.split('/')[-2:])}::{name}"
