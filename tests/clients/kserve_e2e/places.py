"""Where the judge finds what it judges with, and the platform that is judged.

$FAIRWAY_KSERVE_CHECKOUT is a checkout of kserve/kserve, of which `test/e2e` and `python/test_resources` are enough, and
$FAIRWAY_KSERVE_PYTHON an interpreter that has the `kserve` package and what the tests need beside it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.kserve_e2e import doorway, models
from tests.e2e.conftest import Installation
from tests.e2e.town import Cluster
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
CHECKOUT, PYTHON = "FAIRWAY_KSERVE_CHECKOUT", "FAIRWAY_KSERVE_PYTHON"
NAMESPACE = "kserve-ci-e2e-test"
PROGRAMS = "python/test_resources/graph"
"""Where upstream's own little programs lie, of which its images are made."""


@dataclass(frozen=True)
class Ground:
    """A platform that the tests may use: what they find in their environment."""

    kubeconfig: Path
    door: str

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KSERVE_INGRESS_HOST_PORT": self.door}


def checkout() -> Path | None:
    named = os.environ.get(CHECKOUT)
    return Path(named).expanduser().absolute() if named else None


def interpreter() -> str | None:
    return os.environ.get(PYTHON)


@contextmanager
def ground(upstream: Path) -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="fairway-judge-") as name:
        folder = Path(name)
        mirrors = models.make(folder / "buckets", upstream / "test/e2e/data")
        own = Installation(folder / "data", free_port())
        own.folder.mkdir(mode=0o700)
        settings = f"image_programs = {json.dumps(_programs(upstream))}\n[artifacts]\nmirrors = {json.dumps(mirrors)}\n"
        (own.folder / "config.toml").write_text(settings)
        own.up()
        try:
            server = own.server
            Cluster(own).call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
            with doorway.opened(folder, free_port(), own.port, server.token) as door:
                yield Ground(Path(server.kubeconfig), door)
        finally:
            own.stop()


def _programs(upstream: Path) -> list[str]:
    """Stand-ins for images of upstream's: its own little programs, and one that prints events."""
    graphs = upstream / PROGRAMS
    found = {
        "kserve/success-200-isvc": f"python3 {graphs / 'success_200_isvc/model.py'}",
        "kserve/error-404-isvc": f"python3 {graphs / 'error_404_isvc/model.py'}",
        "*/event_display": f"python3 {Path(__file__).with_name('event_display.py')}",
    }
    return [f"{image}={command}" for image, command in found.items()]
