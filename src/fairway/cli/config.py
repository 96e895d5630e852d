"""`fairway config show`: the settings in force and where each is from."""

from __future__ import annotations

import argparse
import dataclasses

from rich.console import Console
from rich.table import Table

from fairway.cli import up


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=["show"], default="show")


def run(options: argparse.Namespace) -> int:
    loaded = up.settings(options)
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for field in dataclasses.fields(loaded.values):
        table.add_row(field.name, str(getattr(loaded.values, field.name)), loaded.sources[field.name])
    Console(soft_wrap=True).print(table)
    return 0
