"""Pools in the records: how many slots there are of each, and which steps hold some or wait for them.

`engine.slots` gives slots to steps; the API makes and changes pools, and has those who wait look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, literal_column, select

from fairway.kernel.objects.meta import Key
from fairway.pipelines.tables import pools, runs, tasks

_OF_A_POOL = tasks.c.pool != literal_column("''")
"""Written as the index of such tasks is."""


@dataclass(frozen=True)
class Use:
    """How many slots of a pool are used, and how many steps wait for some."""

    used: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Holder:
    run: Key
    task_id: str
    pool: str
    slots: int


def limits(connection: Connection) -> dict[str, int]:
    return {row.name: row.slots for row in connection.execute(select(pools.c.name, pools.c.slots))}


def holders(connection: Connection) -> list[Holder]:
    """All steps that hold slots now."""
    query = (
        select(runs.c.object_namespace, tasks.c.run_id, tasks.c.id, tasks.c.pool, tasks.c.slots)
        .join(runs, runs.c.id == tasks.c.run_id)
        .where(_OF_A_POOL, tasks.c.slots > 0, tasks.c.state.in_(("PENDING", "RUNNING")))
    )
    return [Holder((namespace, run), *step) for namespace, run, *step in connection.execute(query)]


def uses(connection: Connection) -> Mapping[str, Use]:
    """Of every pool that a step holds slots of or waits for, whether there is such a pool or not."""
    waits = case((tasks.c.slots == 0, 1), else_=0)
    query = (
        select(tasks.c.pool, func.sum(tasks.c.slots), func.sum(waits))
        .where(_OF_A_POOL, tasks.c.state.in_(("PENDING", "RUNNING")))
        .group_by(tasks.c.pool)
    )
    return {pool: Use(int(used), int(waiting)) for pool, used, waiting in connection.execute(query)}


def wake(connection: Connection, name: str) -> None:
    """The pool has changed: runs with steps that wait for it are to look again."""
    waiting = select(tasks.c.run_id).where(
        _OF_A_POOL, tasks.c.pool == name, tasks.c.state == "PENDING", tasks.c.slots == 0
    )
    connection.execute(runs.update().where(runs.c.id.in_(waiting)).values(asked=runs.c.asked + 1))
