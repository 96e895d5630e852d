"""`python -m tests.clients.kubectl_suite`: run the groups of kubectl's own suite, tell of each, and write the table."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fairway.cluster.workloads.build import KINDS
from fairway.testing.cluster import cluster

from . import expectations, groups, judging, report, today
from .judging import CONTROLLERS, Verdict

PAGE = Path(__file__).parents[3] / "docs/conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.kubectl_suite", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="a part of the names of groups (default: all)")
    parser.add_argument("--kubectl", type=Path, default=shutil.which("kubectl"), help="default: the one on the PATH")
    parser.add_argument("--today", action="store_true", help="bring an old checkout to the API versions of today")
    parser.add_argument("--suite", default="", metavar="WORDS", help="what the checkout is, for the table")
    parser.add_argument("--logs", type=Path, help="a folder for what each group prints")
    parser.add_argument("--write", action="store_true", help="write the table of docs/conformance.md")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # objects that go while their controllers look at them
    root = groups.checkout()
    if root is None:
        parser.error(f"name a checkout of kubernetes/kubernetes in {groups.VARIABLE}: see tests/clients/README.md")
    if options.kubectl is None:
        parser.error("there is no kubectl on the PATH: name one with --kubectl")
    found = groups.find(root)
    chosen = [one for one in found if not options.groups or any(name in one for name in options.groups)]
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        if options.today:
            root = today.brought(root, Path(folder))
        logs = options.logs or Path(folder)
        logs.mkdir(parents=True, exist_ok=True)
        verdicts = asyncio.run(run(Path(folder), root, options.kubectl, chosen, logs))
    if options.write:
        title = f"{options.suite or 'The suite'} with kubectl {groups.version(options.kubectl)}"
        report.write(PAGE, title, verdicts)
    print(report.counted(verdicts))
    return 1 if any(not one.passes and not expectations.because(one.group) for one in verdicts) else 0


async def run(folder: Path, root: Path, kubectl: Path, chosen: Sequence[str], logs: Path) -> list[Verdict]:
    verdicts = []
    async with cluster(folder / "cluster", workloads=False, features=(CONTROLLERS,), kinds=KINDS) as here:
        async for verdict in judging.judge(here, root, kubectl, chosen, logs):
            verdicts.append(verdict)
            known = expectations.because(verdict.group)
            print(f"{'ok' if verdict.passes else 'no' if known else 'MISSES':6} {verdict.group}", flush=True)
            for miss in verdict.misses:
                print(f"         {miss}  {groups.line(root, miss)}", flush=True)
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
