"""Tables, times and values as the command line prints them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from fairway.pipelines.sdk import steps

STATES = {
    "PENDING": ("·", "dim"),
    "RUNNING": ("▸", "cyan"),
    "PAUSED": ("‖", "yellow"),
    "SUCCEEDED": ("✓", "green"),
    "CACHED": ("≡", "blue"),
    "SKIPPED": ("–", "dim"),
    "FAILED": ("✗", "red"),
    "CANCELED": ("■", "yellow"),
    "CANCELING": ("■", "yellow"),
}
"""How a state looks: its mark and its style."""

SHORT = 8
"""Characters of a run's id that are shown; the beginning of an id is enough to name a run."""

_WIDE = 10_000


def console() -> Console:
    """For standard output. Where that is no terminal nothing is cut: somebody may search in it."""
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)


def show(text: RenderableType) -> None:
    # Highlighting is for our own words only: a name that looks like a number is still a name.
    console().print(text, highlight=False, markup=False, emoji=False)


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], nothing: str) -> RenderableType:
    """Rows under their columns; the sentence `nothing` where there is no row."""
    made = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made if made.row_count else Text(nothing)


def state(word: str) -> Text:
    mark, style = STATES.get(word, ("?", ""))
    return Text(f"{mark} {word.lower()}", style=style)


def moment(text: str) -> str:
    """A time of the API as a clock on the wall shows it; empty for none and for the epoch."""
    if not text or text.startswith("1970-01-01T00:00:00"):
        return ""
    return steps.parse(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def value(anything: Any) -> str:
    """A parameter's value: text as it is, everything else as JSON."""
    return anything if isinstance(anything, str) else json.dumps(anything, ensure_ascii=False)
