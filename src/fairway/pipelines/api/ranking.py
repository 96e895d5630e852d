"""Runs by a metric that their steps told of: the order of `sort_by=metric:NAME`, for `listing`.

The best come first, or the least; the runs that have no such metric come last both ways, by their ids. A position is
(0, value, run id) or (1, 0, run id): a page that begins among the runs without goes on there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select, tuple_

from fairway.pipelines.api import filtering
from fairway.pipelines.tables import run_metrics, runs

PREFIX = "metric:"
_LONGEST = 255

Position = tuple[Any, ...]


def is_metric(key: str) -> bool:
    """Whether a list is to be sorted by a metric; a name that no metric can have is none."""
    return len(PREFIX) < len(key) <= len(PREFIX) + _LONGEST and key.startswith(PREFIX) and "\0" not in key


def fits(after: Position) -> bool:
    """Whether a position, which may come from anybody, is one of these."""
    return len(after) == 3 and after[0] in (0, 1) and filtering.is_amount(after[1]) and filtering.is_text(after[2])


def positions(
    connection: Connection,
    key: str,
    where: Sequence[ColumnElement[bool]],
    *,
    after: Position | None,
    descending: bool,
    limit: int,
) -> list[Position]:
    """The next `limit` runs for which the conditions hold, by the index of metrics and not by all runs."""
    name, found = key.removeprefix(PREFIX), list[Position]()
    if after is None or after[0] == 0:
        found = _with(connection, name, where, after, descending, limit)
    if len(found) < limit:
        last = after[2] if after is not None and after[0] == 1 else None
        found += _without(connection, name, where, last, descending, limit - len(found))
    return found


def _with(
    connection: Connection,
    name: str,
    where: Sequence[ColumnElement[bool]],
    after: Position | None,
    descending: bool,
    limit: int,
) -> list[Position]:
    columns = (run_metrics.c.value, run_metrics.c.run_id)
    query = select(*columns).where(run_metrics.c.name == name)
    if where:
        query = query.where(exists().where(runs.c.id == run_metrics.c.run_id, *where))
    if after is not None:
        position = tuple_(*columns)
        query = query.where(position < after[1:] if descending else position > after[1:])
    ends = [column.desc() if descending else column.asc() for column in columns]
    return [(0, *row) for row in connection.execute(query.order_by(*ends).limit(limit))]


def _without(
    connection: Connection,
    name: str,
    where: Sequence[ColumnElement[bool]],
    last: str | None,
    descending: bool,
    limit: int,
) -> list[Position]:
    told = exists().where(run_metrics.c.run_id == runs.c.id, run_metrics.c.name == name)
    query = select(runs.c.id).where(*where, ~told)
    if last is not None:
        query = query.where(runs.c.id < last if descending else runs.c.id > last)
    end = runs.c.id.desc() if descending else runs.c.id.asc()
    return [(1, 0, id_) for id_ in connection.execute(query.order_by(end).limit(limit)).scalars()]
