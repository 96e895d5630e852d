"""A run as a tree of steps in the terminal: state, name, time. Live where there is a terminal, lines where not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from fairway.pipelines.sdk import Snapshot, Step

_MARKS = {
    "PENDING": ("·", "dim"),
    "RUNNING": ("▸", "cyan"),
    "SUCCEEDED": ("✓", "green"),
    "CACHED": ("≡", "blue"),
    "SKIPPED": ("–", "dim"),
    "FAILED": ("✗", "red"),
    "CANCELED": ("■", "yellow"),
    "CANCELING": ("■", "yellow"),
}
_MOST_CHILDREN = 12
"""Of a wide loop only this many iterations are drawn; the rest is counted."""


def show(snapshots: Iterable[Snapshot], console: Console) -> Snapshot:
    """Draw each snapshot until the last, and give that."""
    last: Snapshot | None = None
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            for last in snapshots:
                live.update(tree(last), refresh=True)
        if last:
            console.print(tree(last))
    else:
        told: dict[str, str] = {}
        for last in snapshots:
            _tell_changes(last, told, console)
    if last is None:
        raise RuntimeError("a run has at least one snapshot")
    return last


def tree(snapshot: Snapshot) -> Tree:
    children: dict[str, list[Step]] = defaultdict(list)
    known = {step.id for step in snapshot.steps}
    for step in snapshot.steps:
        children[step.parent if step.parent in known else ""].append(step)
    for siblings in children.values():
        siblings.sort(key=_place)
    roots = children[""]
    if len(roots) == 1 and roots[0].kind == "ROOT":
        roots = children[roots[0].id]
    drawn = Tree(_line(snapshot.state, snapshot.name, ""), guide_style="dim")
    _grow(drawn, roots, children)
    return drawn


def _grow(parent: Tree, steps: list[Step], children: dict[str, list[Step]]) -> None:
    for step in steps[:_MOST_CHILDREN]:
        branch = parent.add(_line(step.state, label(step), duration(step), step.message))
        _grow(branch, children[step.id], children)
    if len(steps) > _MOST_CHILDREN:
        states: dict[str, int] = defaultdict(int)
        for step in steps[_MOST_CHILDREN:]:
            states[step.state.lower()] += 1
        parent.add(Text("and " + ", ".join(f"{count} {state}" for state, count in states.items()), style="dim"))


def _place(step: Step) -> tuple[int, bool, str, str]:
    """Iterations by their number; other steps as they end, which is the order of the graph; then what still runs."""
    return step.iteration or 0, not step.finished, step.finished, step.started


def _tell_changes(snapshot: Snapshot, told: dict[str, str], console: Console) -> None:
    for step in snapshot.steps:
        over = step.state not in ("PENDING", "RUNNING")
        if step.kind != "ROOT" and over and told.get(step.id) != step.state:
            told[step.id] = step.state
            console.print(_line(step.state, label(step), duration(step), step.message))
        elif step.state == "PENDING" and step.message and told.get(step.id) != step.message:
            told[step.id] = step.message
            console.print(_line(step.state, label(step), "waits", step.message))


def _line(state: str, name: str, time: str, message: str = "") -> Text:
    mark, style = _MARKS.get(state, ("?", ""))
    line = Text.assemble((mark, style), " ", name)
    word = {"CACHED": "from the cache", "SKIPPED": "not taken"}.get(state, "")
    for part, look in ((time, "dim"), (word, style), (message, "red")):
        if part:
            line.append(f"  {part}", style=look)
    return line


def label(step: Step) -> str:
    return step.name if step.iteration is None else f"{step.name} [{step.iteration}]"


def duration(step: Step) -> str:
    """Seconds that the step took, or has taken so far; empty before its beginning and for cached ones."""
    if not step.started or step.state == "CACHED":
        return ""
    end = _moment(step.finished) if step.finished else datetime.now(UTC)
    seconds = (end - _moment(step.started)).total_seconds()
    return f"{seconds:.2f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
