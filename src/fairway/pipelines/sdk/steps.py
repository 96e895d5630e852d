"""A run at one moment: its state and those of its steps, as values that can be compared."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fairway.pipelines.sdk.failures import NotThere

OVER = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")

_ITERATION = re.compile(r"\[\d+\]")
_RUNS = ("RUNTIME", "IMPORTER")
"""Kinds of tasks that do something themselves. The others hold steps: loops, conditions, pipelines in pipelines."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task of a run. `kind` is KFP's: ROOT, RUNTIME, LOOP, CONDITION, ...; times are RFC 3339, or empty.

    `path` is its place in the run, such as "train" or "for-loop-1[3]/train"; empty for the root.
    """

    id: str
    parent: str
    name: str
    kind: str
    state: str
    started: str
    finished: str
    iteration: int | None
    message: str
    path: str = ""
    attempts: int = 0

    @property
    def over(self) -> bool:
        return self.state not in ("PENDING", "RUNNING")

    @property
    def logged(self) -> bool:
        """Whether there is a log: of its own, or of the step whose results were taken from the cache."""
        return bool(self.started) or self.state == "CACHED"

    @property
    def label(self) -> str:
        """As it is drawn among its siblings."""
        return self.name if self.iteration is None else f"{self.name} [{self.iteration}]"

    @property
    def took(self) -> str:
        """How long it ran, or has run so far; empty before its beginning and for what came from the cache."""
        if not self.started or self.state == "CACHED":
            return ""
        end = parse(self.finished) if self.finished else datetime.now(UTC)
        return span((end - parse(self.started)).total_seconds())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment, with its steps in the order of their beginning."""

    run_id: str
    name: str
    state: str
    message: str
    steps: tuple[Step, ...]

    @property
    def over(self) -> bool:
        return self.state in OVER


def read(task: Mapping[str, Any]) -> Step:
    """A task as the API tells of it."""
    iteration = (task.get("type_attributes") or {}).get("iteration_index")
    said = (task.get("error") or {}).get("message") or (task.get("status_metadata") or {}).get("message")
    return Step(
        id=task["task_id"],
        parent=task.get("parent_task_id", ""),
        name=task.get("display_name") or task.get("name", ""),
        kind=task.get("type", ""),
        state=task["state"],
        started=task.get("start_time", ""),
        finished=task.get("end_time", ""),
        iteration=int(iteration) if iteration is not None else None,
        message=str(said or ""),
        path=task.get("scope_path", ""),
        attempts=int(task.get("attempts", 0)),
    )


def children(steps: Iterable[Step]) -> dict[str, list[Step]]:
    """The steps in each step, by its id, as one draws them; under the empty id those of the run itself."""
    found: dict[str, list[Step]] = defaultdict(list)
    steps = tuple(steps)
    root = next((step.id for step in steps if step.kind == "ROOT"), "")
    known = {step.id for step in steps}
    for step in steps:
        if step.id != root:
            found[step.parent if step.parent in known and step.parent != root else ""].append(step)
    for siblings in found.values():
        siblings.sort(key=_place)
    return found


def _place(step: Step) -> tuple[int, bool, str, str]:
    """Iterations by their number; other steps as they end, which is the order of the graph; then what still runs."""
    return step.iteration or 0, not step.finished, step.finished, step.started


def find(steps: Iterable[Step], asked: str) -> Step:
    """The step with this path or id, or the only one with this name. Raises NotThere with those that there are."""
    known = [step for step in steps if step.kind != "ROOT"]
    for step in known:
        if asked in (step.path, step.id):
            return step
    named = [step for step in known if asked in (step.name, step.path.rpartition("/")[2])]
    doing = [step for step in named if step.kind in _RUNS] or named
    if len(doing) == 1:
        return doing[0]
    choice = ", ".join(step.path for step in (doing or known)[:20]) or "none yet"
    if doing:
        raise NotThere(f"the run has several steps {asked!r}; say which: {choice}")
    raise NotThere(f"the run has no step {asked!r}; its steps are {choice}")


def place(steps: Iterable[Step], asked: str) -> str:
    """The path of a step, or that of all its iterations where one is named without their numbers. Raises NotThere."""
    known = [step for step in steps if step.kind != "ROOT"]
    everywhere = [_anywhere(step.path) for step in known if asked in (step.name, step.path.rpartition("/")[2])]
    if asked in map(_anywhere, (step.path for step in known)):
        return asked
    if len(everywhere) > 1 and len(set(everywhere)) == 1:
        return everywhere[0]
    return find(known, asked).path


def _anywhere(path: str) -> str:
    """
    >>> _anywhere("for-loop-1[3]/train")
    'for-loop-1/train'
    """
    return _ITERATION.sub("", path)


def doing(steps: Iterable[Step]) -> list[Step]:
    """Those that do something themselves, and so have logs and outputs of their own."""
    return [step for step in steps if step.kind in _RUNS]


def parse(moment: str) -> datetime:
    """A time of the API."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00"))


def span(seconds: float) -> str:
    """
    >>> span(0.123), span(75), span(7260)
    ('0.12 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.2f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
