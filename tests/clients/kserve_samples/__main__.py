"""`python -m tests.clients.kserve_samples`: judge every sample, tell of each, and write the table."""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from dataclasses import replace
from pathlib import Path

from fairway.cluster.network.kinds import KINDS
from fairway.kernel.objects.kinds import Kind
from fairway.serving.feature import FEATURE
from fairway.testing.cluster import cluster

from . import judging, report, samples
from .judging import Verdict
from .samples import Found

PAGE = Path(__file__).parents[3] / "docs/conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.kserve_samples", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the names of what is judged (default: all)")
    parser.add_argument("--write", action="store_true", help="write the table of docs/conformance.md")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # objects that go while their controllers look at them
    root = samples.checkout()
    if root is None:
        parser.error(f"name a checkout of kserve/kserve in {samples.VARIABLE}: see tests/clients/README.md")
    found = samples.find(root)
    chosen = [one for one in found.samples if not options.names or any(name in one.name for name in options.names)]
    verdicts = asyncio.run(run(Found(chosen, found.others, found.unreadable)))
    for verdict in verdicts:
        mark = "WRONG" if report.is_wrong(verdict) else "no" if verdict.refused else "ok"
        print(f"{mark:5} {verdict.sample.name}  {verdict.refused}")
    if options.write:
        report.write(PAGE, found, verdicts)
    print(report.counted(verdicts))
    return 1 if any(map(report.is_wrong, verdicts)) else 0


async def run(found: Found) -> list[Verdict]:
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        async with cluster(Path(folder), features=(FEATURE,), kinds=KINDS) as here:
            return await judging.judge(here, found.samples, _kinds())


def _kinds() -> list[Kind]:
    """In all versions."""
    older = [replace(one.kind, version=version) for one in FEATURE.kinds for version in one.older]
    return [*(one.kind for one in FEATURE.kinds), *older]


if __name__ == "__main__":
    raise SystemExit(main())
