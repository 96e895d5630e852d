"""A run at one moment: its state and those of its steps, as values that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairway.pipelines.sdk.failures import NotThere

OVER = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")

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


def doing(steps: Iterable[Step]) -> list[Step]:
    """Those that do something themselves, and so have logs and outputs of their own."""
    return [step for step in steps if step.kind in _RUNS]
