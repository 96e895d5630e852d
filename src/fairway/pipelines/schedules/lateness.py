"""Runs that are late: not over by their `late_at`. Each is noticed once, in its record; `notices` tells people.

A run that ended late between two looks is late all the same.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from fairway.pipelines.api.context import Context
from fairway.pipelines.api.starting import NOT_OVER
from fairway.pipelines.tables import runs


class Lateness:
    """`seen` is how far the ends of runs were looked at: at first not at all."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen = 0.0

    async def look(self) -> list[str]:
        """Notice what is late now, and give the ids."""
        now, since = self._context.clock.now(), self._seen
        late = await self._context.records.read(lambda connection: _late(connection, since, now))
        for start in range(0, len(late), _AT_ONCE):
            await self._notice(late[start : start + _AT_ONCE], now)
        self._seen = now - _OVERLAP
        return late

    async def _notice(self, late: list[str], now: float) -> None:
        noticed = runs.update().where(runs.c.id.in_(late), runs.c.told_late_at == 0).values(told_late_at=now)
        await self._context.records.write(lambda connection: connection.execute(noticed))


def next_at(connection: Connection, now: float) -> float | None:
    """When the next run that goes on becomes late."""
    query = select(func.min(runs.c.late_at)).where(runs.c.state.in_(NOT_OVER), runs.c.late_at > now)
    found: float | None = connection.execute(query).scalar_one()
    return found


_OVERLAP = 60.0
"""Longer than a write takes, and servers' clocks differ."""

_AT_ONCE = 500


def _late(connection: Connection, since: float, now: float) -> list[str]:
    """Along the index of states for what goes on, and along that of ends for what ended since the last look."""
    untold = (runs.c.late_at > 0) & (runs.c.told_late_at == 0)
    goes_on = runs.c.state.in_(NOT_OVER) & (runs.c.late_at <= now)
    ended = runs.c.finished_at > runs.c.late_at
    if since > 0:
        ended &= runs.c.finished_at > since
    return [row.id for which in (goes_on, ended) for row in connection.execute(select(runs.c.id).where(untold, which))]
