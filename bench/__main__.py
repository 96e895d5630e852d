"""Runs the benchmarks (or those named as arguments), each against a platform of its own, and prints one table.

With `--long` also those that take more than a minute: other tools side by side, graphs of 10,000 steps.
"""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import api, crowd, data, environments, large, lists, loud, scaling, serving, start, steps
from bench.measuring import Row
from bench.peers import comparing, servers, strains
from bench.platform import platform

SUITES = {
    "start": start.measure,
    "steps": steps.measure,
    "data": data.measure,
    "api": api.measure,
    "lists": lists.measure,
    "serving": serving.measure,
}
LONG = {
    "environments": environments.measure,
    "crowd": crowd.measure,
    "loud": loud.measure,
    "scaling": scaling.measure,
    "large": large.measure,
    "peers": comparing.measure,
    "servers": servers.measure,
    "strains": strains.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    every = SUITES | LONG
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"which of {', '.join(every)} (default: the short)")
    parser.add_argument("--long", action="store_true", help=f"{', '.join(LONG)} as well, which take minutes")
    options = parser.parse_args()
    chosen = options.suites or list(every if options.long else SUITES)
    table = Table("what", "measured", "budget", "reference", "ratio", box=None)
    with tempfile.TemporaryDirectory(prefix="fairway-bench-") as folder:
        for name in chosen:
            with platform(Path(folder) / name) as server:
                for row in every[name](server):
                    _add(table, row)
    Console(width=170).print(table)


def _add(table: Table, row: Row) -> None:
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
    table.add_row(row.what, row.measured, row.budget, row.reference, ratio)


if __name__ == "__main__":
    main()
