"""Questions that steps ask before they start, and what people said, in the records.

The engine asks, the API decides, and the engine reads what was decided. Both call these functions with a connection.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Select, select

from fairway.pipelines.render.model import Verdict
from fairway.pipelines.tables import approvals, runs
from fairway.records import texts

WAITING, APPROVED, REJECTED = "WAITING", "APPROVED", "REJECTED"


def ask(connection: Connection, run_id: str, questions: Mapping[str, str], now: float) -> None:
    """Questions by task, whose rows are there already. One that was asked before stays as it is."""
    known = set(connection.execute(select(approvals.c.task_id).where(approvals.c.run_id == run_id)).scalars())
    new = [
        {"task_id": task_id, "run_id": run_id, "state": WAITING, "message": texts.kept(message), "asked_at": now}
        for task_id, message in questions.items()
        if task_id not in known
    ]
    if new:
        connection.execute(approvals.insert(), new)


def verdicts(connection: Connection, run_id: str) -> dict[str, Verdict]:
    """What people have said, by task."""
    query = select(approvals).where(approvals.c.run_id == run_id, approvals.c.state != WAITING)
    return {
        row["task_id"]: Verdict(row["state"] == APPROVED, row["decided_by"], row["comment"])
        for row in connection.execute(query).mappings()
    }


def decide(connection: Connection, run_id: str, task_id: str, verdict: Verdict, now: float) -> bool:
    """Answer a question, and have the engine read it. False where there is none that waits."""
    state = APPROVED if verdict.approved else REJECTED
    said = {"state": state, "decided_at": now, "decided_by": verdict.by, "comment": verdict.comment}
    question = (approvals.c.run_id == run_id) & (approvals.c.task_id == task_id)
    waiting = question & (approvals.c.state == WAITING)
    if not connection.execute(approvals.update().where(waiting).values(**said)).rowcount:
        return False
    connection.execute(runs.update().where(runs.c.id == run_id).values(asked=runs.c.asked + 1))
    return True


def withdraw(connection: Connection, run_id: str) -> None:
    """The run is over: nobody needs to answer what it still asks."""
    connection.execute(approvals.delete().where(approvals.c.run_id == run_id, approvals.c.state == WAITING))


def approved(run_id: str) -> Select[tuple[str]]:
    """The tasks of a run that a person has approved, as a part of another query."""
    return select(approvals.c.task_id).where(approvals.c.run_id == run_id, approvals.c.state == APPROVED)
