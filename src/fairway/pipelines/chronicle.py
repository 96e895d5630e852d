"""The chronicle: the ends of runs, one after the other, as triggers and notices follow them.

Each change of a run's state has a number. Who follows keeps the last one that is behind him, and asks for what came
after. On PostgreSQL several servers take numbers, and commit in another order: a number that is missing before a young
one may still appear. So what is read and what is settled differ, and who follows must bear to be told twice: whatever
he makes of an end has an id that is made of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, select

from fairway.pipelines.api.context import existing
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.tables import experiments, run_states, runs
from fairway.records import inserting

ENDS = ("SUCCEEDED", "FAILED", "CANCELED")
"""The states in which runs end."""

CHOICES = ("pipeline_name", "experiment_id", "recurring_run_id")
"""What runs may be chosen by."""

IN_FLIGHT_SECONDS = 30.0
"""Longer than a write takes from its number to its commit, and servers' clocks differ."""

_AT_ONCE = 2000
_RUN = (
    runs.c.id,
    runs.c.display_name,
    runs.c.experiment_id,
    runs.c.namespace,
    runs.c.pipeline_name,
    runs.c.recurring_run_id,
    runs.c.trigger_id,
)


@dataclass(frozen=True)
class End:
    """A run came to an end; after a retry it may come to another. `run` has the columns that choices are made by."""

    number: int
    state: str
    at: float
    message: str
    run: Mapping[str, Any]


@dataclass(frozen=True)
class Stretch:
    """`settled` is the number up to which nothing will appear any more. With `more`, there is more to read already."""

    ends: tuple[End, ...]
    settled: int
    more: bool


def newest(connection: Connection) -> int:
    """The number of the newest change: who starts to follow now begins behind it."""
    return connection.execute(select(func.max(run_states.c.number))).scalar_one() or 0


def read(connection: Connection, after: int, now: float, *, limit: int = _AT_ONCE) -> Stretch:
    state = (run_states.c.number, run_states.c.state, run_states.c.at, run_states.c.error_message)
    query = select(*state, *_RUN).join(runs, runs.c.id == run_states.c.run_id).where(run_states.c.number > after)
    rows = connection.execute(query.order_by(run_states.c.number).limit(limit)).mappings().all()
    one_writer = connection.dialect.name == "sqlite"  # where a number that is missing was deleted
    settled = rows[-1]["number"] if rows and one_writer else _settled(after, rows, now)
    ends = (
        End(row["number"], row["state"], row["at"], row["error_message"], dict(row))
        for row in rows
        if row["state"] in ENDS
    )
    return Stretch(tuple(ends), settled, more=len(rows) == limit and settled > after)


def is_chosen(run: Mapping[str, Any], choice: Mapping[str, Any]) -> bool:
    """Whether all holds that the choice names."""
    return all(run[name] == choice[name] for name in CHOICES if choice.get(name))


def check_choice(connection: Connection, choice: Mapping[str, Any]) -> None:
    """With a misspelt id, who follows would never be told anything. Raises NotFound."""
    if choice.get("experiment_id"):
        existing(connection, experiments, choice["experiment_id"], "experiment")
    if choice.get("recurring_run_id"):
        existing(connection, recurring_runs, choice["recurring_run_id"], "recurring run")


def event_id(follower: str, key: str) -> str:
    """Always the same for the same two: whatever is made of one event is made once."""
    return str(uuid.uuid5(uuid.UUID(follower), key))


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows whose ids are made of what they are about: those that are there stay as they are."""
    if rows:
        connection.execute(inserting.insert(connection, table).on_conflict_do_nothing(), list(rows))


def unknown(connection: Connection, table: Table, ids: Iterable[str]) -> set[str]:
    """Those of the ids that the table has not."""
    asked = list(ids)
    there: set[str] = set()
    for start in range(0, len(asked), 500):
        chunk = asked[start : start + 500]
        there |= set(connection.execute(select(table.c.id).where(table.c.id.in_(chunk))).scalars())
    return set(asked) - there


def _settled(after: int, rows: Sequence[RowMapping], now: float) -> int:
    last = after
    for row in rows:
        if row["number"] != last + 1 and now - row["at"] < IN_FLIGHT_SECONDS:
            break
        last = row["number"]
    return last
