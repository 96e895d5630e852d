"""Pools: made, changed, deleted, and how much of each is in use. The engine gives the slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, RowMapping, select

from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors
from fairway.pipelines import pools
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer, compact, moment
from fairway.pipelines.api.context import Context
from fairway.pipelines.ir.options import POOL_NAME
from fairway.pipelines.pools import Use
from fairway.pipelines.tables import pools as rows

_MOST = 1_000_000


class Pools:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/pools/{name}"
        return (
            Route("GET", "/apis/v2beta1/pools", self._list),
            Route("GET", one, self._get),
            Route("PUT", one, self._put),
            Route("DELETE", one, self._delete),
        )

    async def _list(self, _request: web.Request) -> web.Response:
        def read(connection: Connection) -> dict[str, Any]:
            uses = pools.uses(connection)
            found = connection.execute(select(rows).order_by(rows.c.name)).mappings().all()
            missing = sorted(uses.keys() - {row["name"] for row in found})
            return compact(
                {
                    "pools": [_message(row, uses) for row in found],
                    # Steps wait for these, and nobody has made them.
                    "missing": [{"name": name, "waiting": uses[name].waiting} for name in missing],
                    "total_size": len(found),
                }
            )

        return answer(await self._context.records.read(read))

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return answer(await self._context.records.read(lambda connection: _one(connection, name)))

    async def _put(self, request: web.Request) -> web.Response:
        """Make it, or change it. Fewer slots than are in use take none away: steps that run go on."""
        name, fields = _changing(request), await messages.read(request, "Pool")
        if not POOL_NAME.fullmatch(name):
            raise errors.BadRequest(f"{name!r} is not a pool's name: use a-z, 0-9 and '-', at most 63 characters")
        slots = fields.get("slots")
        if not isinstance(slots, int) or isinstance(slots, bool) or not 0 <= slots <= _MOST:
            raise errors.BadRequest(f"slots must be a whole number from 0 to {_MOST}")
        values = {"slots": slots, "description": messages.text(fields, "description")}
        now = self._context.clock.now()

        def write(connection: Connection) -> dict[str, Any]:
            if not connection.execute(rows.update().where(rows.c.name == name).values(**values)).rowcount:
                connection.execute(rows.insert().values(name=name, created_at=now, **values))
            pools.wake(connection, name)
            return _one(connection, name)

        found = await self._context.records.write(write)
        self._context.wake.set()
        return answer(found)

    async def _delete(self, request: web.Request) -> web.Response:
        """Steps that run go on; those that wait say that there is no such pool."""
        name = _changing(request)

        def write(connection: Connection) -> None:
            if not connection.execute(rows.delete().where(rows.c.name == name)).rowcount:
                raise errors.NotFound(f'there is no pool "{name}"')
            pools.wake(connection, name)

        await self._context.records.write(write)
        self._context.wake.set()
        return answer({})


def _changing(request: web.Request) -> str:
    caller = request[IDENTITY]
    if caller.bound_to:
        raise errors.Forbidden(f"{caller.user} may not change pools: all namespaces share them")
    return request.match_info["name"]


def _one(connection: Connection, name: str) -> dict[str, Any]:
    found = connection.execute(select(rows).where(rows.c.name == name)).mappings().first()
    if found is None:
        raise errors.NotFound(f'there is no pool "{name}"; make it with PUT /apis/v2beta1/pools/{name}')
    return _message(found, pools.uses(connection))


def _message(row: RowMapping, uses: Mapping[str, Use]) -> dict[str, Any]:
    use = uses.get(row["name"], Use())
    told = compact({"description": row["description"], "created_at": moment(row["created_at"])})
    return {"name": row["name"], "slots": row["slots"], "used": use.used, "waiting": use.waiting, **told}
