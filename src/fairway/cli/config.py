"""`fairway config show`: the settings in force and where each is from."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
from typing import Any

from rich.console import Console
from rich.table import Table

from fairway.cli import up
from fairway.cli.verbs import Failure
from fairway.kernel.settings import Loaded, SettingsError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=["show"], default="show")


def run(options: argparse.Namespace) -> int:
    loaded = up.settings(options)
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    _add(table, loaded, "")
    try:
        # The features bring the whole house with them, which no other command that only asks has to pay for.
        rooms = importlib.import_module("fairway.up.rooms").load(loaded.values.data_dir / "config.toml", os.environ)
    except SettingsError as problem:
        raise Failure(str(problem)) from problem
    for name, found in rooms.items():
        _add(table, found, f"{name}.")
    Console(soft_wrap=True).print(table)
    return 0


def _add(table: Table, loaded: Loaded[Any], prefix: str) -> None:
    for field in dataclasses.fields(loaded.values):
        table.add_row(prefix + field.name, str(getattr(loaded.values, field.name)), loaded.sources[field.name])
