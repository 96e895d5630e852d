"""A run as a notebook shows it: a tree of steps with their states and times, as HTML. Nothing here needs IPython."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape

from fairway.pipelines.sdk import steps
from fairway.pipelines.sdk.running import Run, run
from fairway.pipelines.sdk.steps import Snapshot, Step
from fairway.pipelines.sdk.wire import Api

_MARKS = {
    "PENDING": ("·", "#888"),
    "RUNNING": ("▸", "#0891b2"),
    "PAUSED": ("‖", "#b45309"),
    "SUCCEEDED": ("✓", "#15803d"),
    "CACHED": ("≡", "#1d4ed8"),
    "SKIPPED": ("–", "#888"),
    "FAILED": ("✗", "#b91c1c"),
    "CANCELED": ("■", "#b45309"),
    "CANCELING": ("■", "#b45309"),
}
_WORDS = {"CACHED": "from the cache", "SKIPPED": "not taken", "PAUSED": "paused"}
_MOST_CHILDREN = 12
_LIST = "list-style:none;margin:0;padding-left:1.2em"


@dataclass(frozen=True, slots=True)
class Picture:
    """A run at one moment. A notebook draws it; as text it is one line."""

    snapshot: Snapshot
    url: str

    def __str__(self) -> str:
        counts = Counter(step.state.lower() for step in steps.doing(self.snapshot.steps))
        told = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no step yet"
        message = f": {self.snapshot.message}" if self.snapshot.message else ""
        return f"run {self.snapshot.name} is {self.snapshot.state}{message} ({told})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        now = self.snapshot
        children = steps.children(now.steps)
        head = f'<a href="{escape(self.url)}" target="_blank" rel="noopener">{escape(now.name)}</a>'
        message = f'<div style="color:#b91c1c">{escape(now.message)}</div>' if now.message else ""
        return f"<div>{_mark(now.state)} <b>{head}</b>{message}{_list(children[''], children)}</div>"


def show(asked: Run | str, *, server: Api | None = None) -> Picture:
    """The run at this moment, for a notebook to draw."""
    found = run(asked, server=server) if isinstance(asked, str) else asked
    return Picture(found.snapshot(), found.url)


def _list(siblings: list[Step], children: dict[str, list[Step]]) -> str:
    if not siblings:
        return ""
    items = "".join(
        f"<li>{_item(step)}{_list(children.get(step.id, []), children)}</li>" for step in siblings[:_MOST_CHILDREN]
    )
    rest = Counter(step.state.lower() for step in siblings[_MOST_CHILDREN:])
    if rest:
        items += f"<li>and {', '.join(f'{count} {escape(state)}' for state, count in rest.items())}</li>"
    return f'<ul style="{_LIST}">{items}</ul>'


def _item(step: Step) -> str:
    waits = not step.over  # then the message says what for
    parts = [_mark(step.state), escape(step.label)]
    parts += [f"<small>{escape(word)}</small>" for word in (step.took, _WORDS.get(step.state, "")) if word]
    if step.message:
        parts.append(f'<small style="color:{"#b45309" if waits else "#b91c1c"}">{escape(step.message)}</small>')
    return " ".join(parts)


def _mark(state: str) -> str:
    mark, color = _MARKS.get(state, ("?", "inherit"))
    return f'<span style="color:{color}" title="{escape(state.lower())}">{mark}</span>'
