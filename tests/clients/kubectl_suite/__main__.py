"""`python -m tests.clients.kubectl_suite`: run the groups of kubectl's own suite, tell of each, and write the table.

The suite runs as it is, with a kubectl of its release, and, where one is named, brought to today with a present one.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway.testing.cluster import cluster

from . import expectations, groups, judging, report, today
from .judging import CONTROLLERS, SERVICES, Verdict
from .report import Round

PAGE = Path(__file__).parents[3] / "docs/conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.kubectl_suite", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="a part of the names of groups (default: all)")
    parser.add_argument("--kubectl", type=Path, default=shutil.which("kubectl"), help="default: the one on the PATH")
    parser.add_argument(
        "--today", type=Path, metavar="KUBECTL", help="also the checkout brought to today, with this one"
    )
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
    with tempfile.TemporaryDirectory(prefix="judge-") as name:
        folder = Path(name)
        plans = [Plan("as it is", expectations.AS_IT_IS, root, options.kubectl)]
        if options.today:
            plans.append(Plan("brought to today", expectations.TODAY, today.brought(root, folder), options.today))
        rounds = asyncio.run(side_by_side(plans, chosen, folder, options.logs or folder))
    if options.write:
        report.write(PAGE, rounds)
    print(report.counted(rounds))
    return 1 if any(one.unexplained() for one in rounds) else 0


@dataclass(frozen=True)
class Plan:
    words: str
    reasons: Mapping[str, str]
    root: Path
    kubectl: Path


async def side_by_side(plans: Sequence[Plan], chosen: Sequence[str], folder: Path, logs: Path) -> list[Round]:
    """The suite mostly waits: a second round beside the first takes hardly longer."""
    titles = [f"{plan.words}, with kubectl {groups.version(plan.kubectl)}" for plan in plans]
    places = [title.rpartition(" ")[-1] for title in titles]
    all_verdicts = await asyncio.gather(
        *(
            run(folder / place, plan.root, plan.kubectl, chosen, logs / place)
            for place, plan in zip(places, plans, strict=True)
        )
    )
    return [
        Round(title, plan.reasons, verdicts) for title, plan, verdicts in zip(titles, plans, all_verdicts, strict=True)
    ]


async def run(folder: Path, root: Path, kubectl: Path, chosen: Sequence[str], logs: Path) -> list[Verdict]:
    logs.mkdir(parents=True, exist_ok=True)
    verdicts = []
    async with cluster(folder, workloads=False, features=(CONTROLLERS,), service_network=SERVICES) as here:
        async for verdict in judging.judge(here, root, kubectl, chosen, logs):
            verdicts.append(verdict)
            word = "ok" if verdict.passes else "misses"
            print(f"{folder.name:8} {word:6} {verdict.group} ({verdict.seconds:.0f} s)", flush=True)
            for miss in verdict.misses:
                print(f"           {miss}  {groups.line(root, miss)}", flush=True)
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
