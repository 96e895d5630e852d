"""Clients' own end-to-end tests, unmodified, out of checkouts that variables of the environment name.

`python -m tests.clients.upstream_suites [NAME...]` runs those that are there against a cluster of its own, and prints
what did not pass with the reason that stands below; what has none is an error. See README.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.clients.house import house

PYTHON = "FAIRWAY_CLIENTS_PYTHON"
"""An interpreter with the clients' newest releases; by default the one that runs this."""
STAND_INS = Path(__file__).parent / "stand_ins"

_IMAGE = "an image outside the catalogue (nginx, pause), which needs a container engine"
_METRICS = "looks for the pod of metrics-server; here metrics.k8s.io is served by the API itself"
_THREAD = "a thread of the client's blocking WebSocket outlives it, and reads from another connection"
_SPELLING = "the test sets a field `shortnames` that the client's own model does not have"


@dataclass(frozen=True)
class Suite:
    name: str
    variable: str
    repository: str
    folder: str
    tests: tuple[str, ...]
    options: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a test does not pass, by a part of its name."""

    @property
    def checkout(self) -> Path | None:
        named = os.environ.get(self.variable)
        return Path(named).expanduser().absolute() if named else None


SUITES = (
    Suite(
        "kubernetes",
        "FAIRWAY_KUBERNETES_CLIENT_CHECKOUT",
        "kubernetes-client/python",
        ".",
        ("kubernetes/e2e_test",),
        reasons={"test_portforward_http": _IMAGE},
    ),
    Suite(
        "kubernetes_asyncio",
        "FAIRWAY_KUBERNETES_ASYNCIO_CHECKOUT",
        "tomplus/kubernetes_asyncio",
        ".",
        ("kubernetes_asyncio/e2e_test",),
    ),
    Suite(
        "lightkube",
        "FAIRWAY_LIGHTKUBE_CHECKOUT",
        "gtsystem/lightkube",
        "e2e-tests",
        (".",),
        reasons={
            "test_pod_apis": _METRICS,
            "test_wait_namespaced": _IMAGE,
            "test_exec_": _THREAD,
            "test_load_in_cluster_generic_resources": _SPELLING,
        },
    ),
)


@dataclass(frozen=True)
class Outcome:
    passed: list[str]
    failed: dict[str, str]
    """What did not pass, with its reason; empty where there is none."""


def run(suite: Suite, kubeconfig: Path, *, seconds: int = 60) -> Outcome:
    """Raises FileNotFoundError where the checkout does not hold the tests."""
    checkout = suite.checkout
    if checkout is None or not all((checkout / suite.folder / path).exists() for path in suite.tests):
        raise FileNotFoundError(f"{suite.variable} names no checkout of {suite.repository}")
    python = os.environ.get(PYTHON, sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *suite.options]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(STAND_INS)}
        subprocess.run(
            [*command, f"--timeout={seconds}", f"--junitxml={report}", *suite.tests],
            cwd=checkout / suite.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return _outcome(suite, ElementTree.parse(report))


def _outcome(suite: Suite, report: ElementTree.ElementTree) -> Outcome:
    outcome = Outcome([], {})
    for case in report.iter("testcase"):
        name = case.get("name", "")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed[name] = next((why for part, why in suite.reasons.items() if part in name), "")
        elif case.find("skipped") is None:
            outcome.passed.append(name)
    return outcome


def main(names: list[str]) -> int:
    unexplained = 0
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as running:
        for suite in SUITES:
            if suite.checkout is None or (names and suite.name not in names):
                continue
            outcome = run(suite, running.kubeconfig)
            print(f"{suite.name}: {len(outcome.passed)} pass, {len(outcome.failed)} do not")
            for name, why in outcome.failed.items():
                print(f"  {name}: {why or 'NO REASON IS KNOWN'}")
                unexplained += not why
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
