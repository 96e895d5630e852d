"""Parameters on the command line: NAME=VALUE, where the value is JSON, or plain text where it is not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from fairway.cli.verbs import Failure


def argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="JSON or plain text; repeat")


def read(texts: Iterable[str], usage: str = "--param takes NAME=VALUE") -> dict[str, Any]:
    """The values by name. Raises Failure with `usage`."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Failure(f"{usage}, not {text!r}")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values
