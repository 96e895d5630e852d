"""Pages of 100,000 runs with 1,000,000 tasks, by every order and by filters, first and deep, on SQLite and PostgreSQL.

The history is written into the database; pages go through the real handlers over HTTP. Beside them: one run by its id,
read straight from the database.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp import web
from sqlalchemy import Connection, select

from bench import history
from bench.databases import postgresql, settle
from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock, timestamp_micro
from fairway.kernel.feature import IDENTITY, Identity
from fairway.pipelines.api import artifacts, runs
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.listing import Order, token_after
from fairway.pipelines.api.routes import routes
from fairway.pipelines.tables import run_metrics
from fairway.pipelines.tables import runs as rows
from fairway.records.database import Database

RUNS, TASKS_EACH = 100_000, 10
_TIMES = 15
_BUDGET = "100 ms"

Query = Mapping[str, str]


def measure(_platform: Platform) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="fairway-lists-") as folder, postgresql(Path(folder)) as server:
        found = asyncio.run(_measured("SQLite", f"sqlite:///{folder}/records.db"))
        if server is not None:
            found += asyncio.run(_measured("PostgreSQL", server))
        return found


async def _measured(name: str, url: str) -> list[Row]:
    records = await asyncio.to_thread(Database.open, url)
    try:
        past = await records.write(lambda connection: history.write(connection, RUNS, TASKS_EACH))
        await asyncio.to_thread(settle, url)
        reference = await _reference(records, past)
        async with _served(records) as (session, base):
            pages = _Pages(session, base)
            return [
                await _row(pages, f"{what} ({name})", queries, reference)
                for what, queries in (await _questions(records, past)).items()
            ]
    finally:
        await records.close()


class _Pages:
    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base

    async def get(self, query: Query) -> dict[str, Any]:
        path, asked = query.get("path", "runs"), {key: value for key, value in query.items() if key != "path"}
        async with self._session.get(f"{self._base}/apis/v2beta1/{path}", params=asked) as response:
            body = await response.read()
            assert response.status == 200, body
            return cast(dict[str, Any], json.loads(body))

    async def seconds(self, query: Query) -> float:
        begin = time.perf_counter()
        await self.get(query)
        return time.perf_counter() - begin


async def _questions(records: Database, past: history.History) -> dict[str, list[Query]]:
    """What is asked for, in groups: the slowest question of a group stands for it."""
    keys = [f"{key} {way}" for key in [*runs.LISTED.keys, "metric:auc"] for way in ("asc", "desc")]
    firsts = [{"sort_by": key} for key in keys]
    deep = [{"page_token": await records.read(_middle(key))} for key in keys]
    newest = {"sort_by": "created_at desc"}
    middle = [timestamp_micro(history.created_at(number)) for number in (RUNS // 2, RUNS // 2 + 5000)]
    name = "IS_SUBSTRING"
    return {
        f"runs, first page, each of {len(keys)} orders": firsts,
        f"runs, a page in the middle, each of {len(keys)} orders": deep,
        "runs of a state": [
            {**newest, "filter": _where(("state", "EQUALS", state))} for state in ("FAILED", "RUNNING", "SUCCEEDED")
        ],
        "runs with a part of a name (all, 11, none)": [
            {"sort_by": order, "filter": _where(("name", name, part))}
            for order in ("created_at desc", "finished_at desc", "name")
            for part in ("TRAINING", "training 4711", "nothing")
        ],
        "runs of an experiment; with a state; with a part of a name": [
            {**newest, "experiment_id": past.experiments[0], "filter": filter_}
            for filter_ in ("", _where(("state", "EQUALS", "FAILED")), _where(("name", name, "nothing")))
        ],
        "runs that are not archived; with a part of a name": [
            {**newest, "filter": _where(("storage_state", "EQUALS", "AVAILABLE"), *more)}
            for more in ((), (("name", name, "nothing"),))
        ],
        "runs of a time": [
            {**newest, "filter": _where(("created_at", "GREATER_THAN", middle[0]), *more)}
            for more in ((), (("created_at", "LESS_THAN", middle[1]),))
        ],
        "runs, a page of 200": [{**newest, "page_size": "200"}],
        "artifacts (200,000), each order": [{"path": "artifacts", "sort_by": key} for key in artifacts.LISTED.keys],
        "tasks of a run": [{"path": f"runs/{past.ids[RUNS // 2]}/tasks"}],
        "runs, a page of 100 with all tasks": [{**newest, "page_size": "100", "view": "FULL"}],
    }


def _where(*predicates: tuple[str, str, str]) -> str:
    return json.dumps(
        {"predicates": [{"key": key, "operation": how, "string_value": value} for key, how, value in predicates]}
    )


def _middle(sort: str) -> Callable[[Connection], str]:
    """The token of the page that begins behind the middle of a list."""
    key, way = sort.split()
    order = Order(key, way == "desc", "", None, 20)

    def token(connection: Connection) -> str:
        position: tuple[Any, ...]
        if key in runs.LISTED.keys:
            columns = runs.LISTED.order(key)
            ends = [column.desc() if order.descending else column.asc() for column in columns]
            position = tuple(connection.execute(select(*columns).order_by(*ends).offset(RUNS // 2).limit(1)).one())
        else:
            value = run_metrics.c.value
            query = select(value, run_metrics.c.run_id).order_by(value).offset(RUNS // 2).limit(1)
            position = (0, *connection.execute(query).one())
        return token_after(order, position)

    return token


async def _row(pages: _Pages, what: str, queries: list[Query], reference: float) -> Row:
    slowest: list[float] = []
    for query in queries:
        await pages.seconds(query)
        taken = [await pages.seconds(query) for _ in range(_TIMES)]
        slowest = max(slowest, taken, key=lambda seconds: quantile(seconds, 0.5) if seconds else 0.0)
    middle, last = quantile(slowest, 0.5), quantile(slowest, 0.99)
    beside = f"{milliseconds(reference)}: one row by its id"
    return Row(what, f"{milliseconds(middle)}, p99 {milliseconds(last)}", _BUDGET, beside, middle / reference)


async def _reference(records: Database, past: history.History) -> float:
    taken = []
    for id_ in past.ids[:: RUNS // 200]:
        begin = time.perf_counter()
        await records.read(lambda connection, id_=id_: connection.execute(select(rows).where(rows.c.id == id_)).one())
        taken.append(time.perf_counter() - begin)
    return quantile(taken, 0.5)


@asynccontextmanager
async def _served(records: Database) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """The API's routes alone, for a caller whom nobody asks."""

    @web.middleware
    async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
        request[IDENTITY] = Identity("bench", ("system:masters",))
        response: web.StreamResponse = await handler(request)
        return response

    nothing = cast(Client, None)  # lists ask nothing of the cluster
    app = web.Application(middlewares=[identify])
    for route in routes(Context(nothing, SystemClock(), records, cast(Any, None))):
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
