"""Questions that steps ask before they start, and answering them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import NotThere
from fairway.pipelines.sdk.wire import Api

WAITING = "WAITING"


@dataclass(frozen=True, slots=True)
class Approval:
    """One question. `step` is the path of the step that asks, `state` WAITING, APPROVED or REJECTED; times are RFC
    3339, or empty."""

    api: Api = field(repr=False, compare=False)
    run_id: str
    task_id: str
    step: str
    question: str
    state: str
    asked_at: str
    decided_at: str = ""
    decided_by: str = ""
    comment: str = ""

    def approve(self, comment: str = "") -> None:
        """Let the step start. Raises Failure where somebody has answered already."""
        self._decide("approve", comment)

    def reject(self, comment: str = "") -> None:
        """Fail the step."""
        self._decide("reject", comment)

    def _decide(self, word: str, comment: str) -> None:
        self.api.post(f"runs/{self.run_id}/tasks/{self.task_id}:{word}", {"comment": comment} if comment else {})


def approvals(*, state: str = WAITING, server: Api | None = None) -> list[Approval]:
    """The questions of all runs, oldest first: those that wait, or of another state, or all with state=""."""
    return listed(server or connect(), "approvals", state)


def listed(api: Api, path: str, state: str) -> list[Approval]:
    return [_read(api, found) for found in api.pages(path, "approvals", state=state.upper())]


def find(waiting: list[Approval], step: str) -> Approval:
    """The one question of a step; of the only step that asks, where none is named. Raises NotThere."""
    found = [one for one in waiting if step in ("", one.step, one.task_id, one.step.rpartition("/")[2])]
    if len(found) == 1:
        return found[0]
    choice = ", ".join(one.step for one in (found or waiting)) or "none"
    if found:
        raise NotThere(f"several steps wait for an answer; say which: {choice}")
    raise NotThere(f"no step {step!r} waits for an answer; those that do: {choice}")


def _read(api: Api, found: Mapping[str, Any]) -> Approval:
    return Approval(
        api,
        found["run_id"],
        found["task_id"],
        found.get("scope_path") or found.get("display_name", ""),
        found.get("message", ""),
        found["state"],
        found.get("asked_at", ""),
        found.get("decided_at", ""),
        found.get("decided_by", ""),
        found.get("comment", ""),
    )
