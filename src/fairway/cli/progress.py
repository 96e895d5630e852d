"""A run as a tree of steps in the terminal: state, name, time. Live where there is a terminal, lines where not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from fairway.cli import printing
from fairway.pipelines.sdk import Snapshot, Step, steps

_MOST_CHILDREN = 12
"""Of a wide loop only this many iterations are drawn; the rest is counted."""


def show(snapshots: Iterable[Snapshot], console: Console) -> Snapshot:
    """Draw each snapshot until the last, and give that."""
    last: Snapshot | None = None
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2, transient=True) as live:
            for last in snapshots:
                live.update(_Drawing(last), refresh=True)
        if last:
            console.print(tree(last))
    else:
        told: dict[str, str] = {}
        for last in snapshots:
            _tell_changes(last, told, console)
    if last is None:
        raise RuntimeError("a run has at least one snapshot")
    return last


@dataclass(frozen=True)
class _Drawing:
    """Drawn again between the snapshots too: the seconds of what runs go on."""

    snapshot: Snapshot

    def __rich__(self) -> Tree:
        return tree(self.snapshot)


def tree(snapshot: Snapshot, *, paths: bool = False) -> Tree:
    """`paths` adds the names under which commands know steps, where these differ from what is drawn."""
    children = steps.children(snapshot.steps)
    drawn = Tree(_line(snapshot.state, snapshot.name, ""), guide_style="dim")
    _grow(drawn, children[""], children, paths)
    return drawn


def _grow(parent: Tree, siblings: list[Step], children: dict[str, list[Step]], paths: bool) -> None:
    for step in siblings[:_MOST_CHILDREN]:
        line = _line(step.state, step.label, step.took, step.message)
        if paths and step.path != step.name:
            line.append(f"  {step.path}", style="dim")
        _grow(parent.add(line), children.get(step.id, []), children, paths)
    if len(siblings) > _MOST_CHILDREN:
        states: dict[str, int] = defaultdict(int)
        for step in siblings[_MOST_CHILDREN:]:
            states[step.state.lower()] += 1
        parent.add(Text("and " + ", ".join(f"{count} {state}" for state, count in states.items()), style="dim"))


def _tell_changes(snapshot: Snapshot, told: dict[str, str], console: Console) -> None:
    for step in snapshot.steps:
        if step.kind != "ROOT" and step.over and told.get(step.id) != step.state:
            told[step.id] = step.state
            console.print(_line(step.state, step.label, step.took, step.message))
        elif not step.over and step.message and told.get(step.id) != step.message:
            told[step.id] = step.message
            console.print(_line(step.state, step.label, "waits", step.message))


def _line(state: str, name: str, time: str, message: str = "") -> Text:
    mark, style = printing.STATES.get(state, ("?", ""))
    line = Text.assemble((mark, style), " ", name)
    word = {"CACHED": "from the cache", "SKIPPED": "not taken", "PAUSED": "paused"}.get(state, "")
    waits = state in ("PENDING", "RUNNING")  # then the message says what for
    for part, look in ((time, "dim"), (word, style), (message, "yellow" if waits else "red")):
        if part:
            line.append(f"  {part}", style=look)
    return line
