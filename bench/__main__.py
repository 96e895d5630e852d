"""Runs every benchmark (or those named as arguments) against a platform of its own and prints one table."""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import api, lists, serving, start, steps
from bench.measuring import Row
from bench.platform import platform

SUITES = {
    "start": start.measure,
    "steps": steps.measure,
    "api": api.measure,
    "lists": lists.measure,
    "serving": serving.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"which of {', '.join(SUITES)} (default: all)")
    chosen = parser.parse_args().suites or list(SUITES)
    table = Table("what", "measured", "budget", "reference", "ratio", box=None)
    with tempfile.TemporaryDirectory(prefix="fairway-bench-") as folder:
        for name in chosen:
            with platform(Path(folder) / name) as server:
                for row in SUITES[name](server):
                    _add(table, row)
    Console(width=150).print(table)


def _add(table: Table, row: Row) -> None:
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
    table.add_row(row.what, row.measured, row.budget, row.reference, ratio)


if __name__ == "__main__":
    main()
