"""What is said, pure: the message of each event, the body of a webhook, the letter of an e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairway.pipelines.api.answers import compact, moment

LONGEST = 2000
"""Of what a run or a step says went wrong."""

_LONGEST_LINE = 500
_ENDED = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELED": "was canceled"}


@dataclass(frozen=True)
class Failure:
    """The first step that failed, and the end of its log."""

    step: str
    message: str
    log: Sequence[str]


def ended(state: str, run: Mapping[str, Any], why: str) -> str:
    """
    >>> ended("FAILED", {"display_name": "nightly"}, "train: no data")
    'The run "nightly" failed: train: no data'
    """
    told = f'The run "{run["display_name"]}" {_ENDED[state]}'
    return f"{told}: {why[:LONGEST]}" if why else told


def late(run: Mapping[str, Any]) -> str:
    due = f" by {moment(run['late_at'])}" if run["late_at"] else ""
    return f'The run "{run["display_name"]}" is late: it was to be over{due}'


def asked(run: Mapping[str, Any], step: str, question: str) -> str:
    return f'The run "{run["display_name"]}" waits at the step "{step}" for an approval: {question[:LONGEST]}'


def body(
    id_: str, event: str, run: Mapping[str, Any] | None, message: str, url: str, more: Mapping[str, Any]
) -> dict[str, Any]:
    """What a webhook is sent, and what a letter is made of."""
    link = f"{url}/#/runs/details/{run['id']}" if run else url
    return {"id": id_, "event": event, "run": _run(run) if run else {}, "message": message, "url": link, **more}


def subject(told: Mapping[str, Any]) -> str:
    """On one line, whatever is in a run's name."""
    name = told["run"].get("display_name") or "a test of this notice"
    return " ".join(f"[Fairway] {told['event']}: {name}".split())


def letter(told: Mapping[str, Any], failure: Failure | None) -> str:
    run = told["run"]
    facts = [
        ("Run", run.get("run_id")),
        ("Pipeline", run.get("pipeline_name")),
        ("Namespace", run.get("namespace")),
        ("Started", run.get("created_at")),
        ("Ended", run.get("finished_at")),
    ]
    parts = [told["message"], "\n".join(f"{name + ':':<11}{value}" for name, value in facts if value)]
    if failure is not None:
        parts.append(f"The first step that failed: {failure.step}\n{failure.message[:LONGEST]}".rstrip())
        if failure.log:
            lines = "\n".join(f"  {line[:_LONGEST_LINE]}" for line in failure.log)
            parts.append(f"The end of its log:\n{lines}")
    return "\n\n".join([*(part for part in parts if part), told["url"]]) + "\n"


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    """As much of a Run as a reader may need; the rest is a request away."""
    return compact(
        {
            "run_id": run["id"],
            "display_name": run["display_name"],
            "state": run["state"],
            "namespace": run["namespace"],
            "experiment_id": run["experiment_id"],
            "pipeline_name": run["pipeline_name"],
            "recurring_run_id": run["recurring_run_id"],
            "trigger_id": run["trigger_id"],
            "created_at": moment(run["created_at"]),
            "finished_at": moment(run["finished_at"]) if run["finished_at"] else None,
        }
    )
