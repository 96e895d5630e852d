"""The life of a run in the records: how it starts, what it is asked, how it ends, and how it begins again.

All functions take a connection and are run by `Database.read` and `Database.write`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from fairway.pipelines import approvals
from fairway.pipelines.render.model import Type, Verdict
from fairway.pipelines.tables import run_states, runs, tasks
from fairway.records import texts

OVER = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})
ENDING = "CANCELING"
"""Somebody has asked for the end."""


def start(connection: Connection, run_id: str, now: float) -> bool:
    """The run is taken up. Gives whether steps of it may begin."""
    changed = connection.execute(
        runs.update().where(runs.c.id == run_id, runs.c.state == "PENDING").values(state="RUNNING")
    )
    if changed.rowcount:
        connection.execute(run_states.insert().values(run_id=run_id, state="RUNNING", at=now))
    return may_start(connection, run_id)


@dataclass(frozen=True)
class Requests:
    """What people want of a run that runs."""

    paused: bool
    verdicts: Mapping[str, Verdict]


def requests(connection: Connection, run_id: str) -> Requests:
    paused = connection.execute(select(runs.c.paused).where(runs.c.id == run_id)).scalar()
    return Requests(bool(paused), approvals.verdicts(connection, run_id))


def may_start(connection: Connection, run_id: str) -> bool:
    """Whether steps of the run may begin: nobody has paused or ended it, and nobody does until this transaction is
    over."""
    query = select(runs.c.paused, runs.c.state).where(runs.c.id == run_id).with_for_update()
    found = connection.execute(query).first()
    return found is not None and not found.paused and found.state not in (*OVER, ENDING)


def finish(
    connection: Connection,
    run_id: str,
    state: str,
    now: float,
    *,
    message: str,
    results: Mapping[str, Any],
    expires_at: float = 0.0,
) -> None:
    message = texts.kept(message)
    values = {
        "state": state,
        "finished_at": now,
        "error_code": 13 if message else 0,  # gRPC's INTERNAL, as upstream has it
        "error_message": message,
        "outputs": results,
        "expires_at": expires_at,
    }
    changed = connection.execute(runs.update().where(runs.c.id == run_id, runs.c.state.not_in(OVER)).values(**values))
    if changed.rowcount:
        told = {"run_id": run_id, "state": state, "at": now}
        connection.execute(run_states.insert().values(**told, error_code=values["error_code"], error_message=message))
        approvals.withdraw(connection, run_id)


def belongs(connection: Connection, run_id: str, namespace: str) -> bool:
    """Whether there is such a run, in that namespace."""
    query = select(runs.c.id).where(runs.c.id == run_id, runs.c.object_namespace == namespace)
    return connection.execute(query).first() is not None


def is_decided(connection: Connection, task_id: str, pod: str) -> bool:
    """Whether the records know how the attempt in that pod has ended, or do not ask."""
    found = connection.execute(select(tasks.c.pod_name, tasks.c.state).where(tasks.c.id == task_id)).first()
    return found is None or found.pod_name != pod or found.state not in ("PENDING", "RUNNING")


def is_open(connection: Connection, run_id: str, namespace: str) -> bool:
    """Whether there is such a run, played here by an object of that namespace, that is not over."""
    query = select(runs.c.id).where(runs.c.id == run_id, runs.c.state.not_in(OVER), ~runs.c.external)
    return connection.execute(query.where(runs.c.object_namespace == namespace)).first() is not None


def abandon(connection: Connection, run_id: str, now: float, why: str = "the Run object was deleted") -> None:
    """The run's object is gone for good, and its pods with it: what was open is canceled, what was over stays."""
    give_up(connection, run_id, "CANCELED", now, message=why)


def give_up(connection: Connection, run_id: str, state: str, now: float, *, message: str) -> None:
    """The run is over without having been played to its end: what was open is canceled, and holds nothing."""
    open_ = (tasks.c.run_id == run_id) & tasks.c.state.in_(("PENDING", "RUNNING"))
    connection.execute(tasks.update().where(open_).values(state="CANCELED", slots=0, finished_at=now))
    finish(connection, run_id, state, now, message=message, results={})


def reset(connection: Connection, run_id: str, now: float) -> None:
    """Forget what did not succeed, so that it is done again.

    Steps that were tried keep their count of attempts, and have all their retries again; what a person has approved
    stays approved.
    """
    of_run = tasks.c.run_id == run_id
    leaves = (str(Type.STEP), str(Type.IMPORTER))  # an importer that brings bytes has pods and folders too
    tried = tasks.c.type.in_(leaves) & (tasks.c.attempts > 0)
    again = of_run & tried & tasks.c.state.in_(("FAILED", "CANCELED"))
    connection.execute(
        tasks.update()
        .where(again)
        .values(
            state="PENDING",
            disruptions=tasks.c.attempts - tasks.c.looks,
            retry_at=now,
            finished_at=None,
            error_code=0,
            error_message="",
        )
    )
    untried = of_run & ~tried & tasks.c.state.in_(("FAILED", "CANCELED", "SKIPPED"))
    approved = tasks.c.id.in_(approvals.approved(run_id))
    connection.execute(
        tasks.update()
        .where(untried & approved)
        .values(state="PENDING", finished_at=None, error_code=0, error_message="")
    )
    connection.execute(tasks.delete().where(untried & ~approved))
