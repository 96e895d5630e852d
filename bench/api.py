"""Rates of the Kubernetes API over loopback HTTPS, beside SQLite's own commits of the same bytes."""

import asyncio
import json
import sqlite3
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform
from fairway.kernel.client import kubeconfig

_SINGLE, _MANY, _CLIENTS, _GETS, _LISTS, _WATCHED = 300, 3200, 32, 500, 50, 200
_PATH = "/api/v1/namespaces/default/configmaps"
_PAYLOAD = "x" * 1500


def measure(platform: Platform) -> list[Row]:
    return asyncio.run(_measure(platform))


async def _measure(platform: Platform) -> list[Row]:
    access = kubeconfig.load(Path(platform.server.kubeconfig))
    tls = access.tls()
    assert isinstance(tls, ssl.SSLContext)
    headers = {"Authorization": f"Bearer {access.token}"}
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(access.server, headers=headers, connector=connector) as session:
        alone = await _timed(_SINGLE, lambda number: _create(session, f"single-{number}"))
        rate = await _rate(session)
        get = await _timed(_GETS, lambda number: _get(session, f"/single-{number % _SINGLE}"))
        for number in range(100):
            await _create(session, f"labelled-{number}", {"bench": "yes"})
        listed = await _timed(_LISTS, lambda _: _get(session, "?labelSelector=bench%3Dyes"))
        delivery = await _watch_delivery(session)
    one_commit, grouped = _sqlite()
    single = quantile(alone, 0.5)
    return [
        Row(
            "create, 1 client, p50",
            milliseconds(single),
            "2 ms",
            f"{milliseconds(one_commit)}: one SQLite commit",
            single / one_commit,
        ),
        Row(
            f"create, {_CLIENTS} clients",
            f"{rate:.0f}/s",
            "1,500/s",
            f"{grouped:.0f}/s: SQLite rows in commits of {_CLIENTS}",
            rate / grouped,
        ),
        Row("get, p50", milliseconds(quantile(get, 0.5)), "1 ms"),
        Row("list of 100 labelled among thousands, p50", milliseconds(quantile(listed, 0.5)), "5 ms"),
        Row(
            "watch delivery (write sent to event seen), p50",
            milliseconds(quantile(delivery, 0.5)),
            "2 ms",
            f"{milliseconds(one_commit)}: one SQLite commit",
            quantile(delivery, 0.5) / one_commit,
        ),
    ]


def _object(name: str, labels: dict[str, str] | None = None) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels or {}},
        "data": {"payload": _PAYLOAD},
    }


async def _create(session: aiohttp.ClientSession, name: str, labels: dict[str, str] | None = None) -> None:
    async with session.post(_PATH, json=_object(name, labels)) as answer:
        assert answer.status == 201, await answer.text()
        await answer.read()


async def _get(session: aiohttp.ClientSession, rest: str) -> None:
    async with session.get(_PATH + rest) as answer:
        assert answer.status == 200
        await answer.read()


async def _timed(times: int, call: Callable[[int], Awaitable[None]]) -> list[float]:
    seconds = []
    for number in range(times):
        begin = time.perf_counter()
        await call(number)
        seconds.append(time.perf_counter() - begin)
    return seconds


async def _rate(session: aiohttp.ClientSession) -> float:
    async def client(number: int) -> None:
        for item in range(_MANY // _CLIENTS):
            await _create(session, f"many-{number}-{item}")

    begin = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
    return _MANY / (time.perf_counter() - begin)


async def _watch_delivery(session: aiohttp.ClientSession) -> list[float]:
    sent: dict[str, float] = {}
    seconds = []
    query = f"{_PATH}?watch=true&labelSelector=watched"
    async with session.get(query) as stream:
        for number in range(_WATCHED):
            name = f"watched-{number}"
            sent[name] = time.perf_counter()
            write = asyncio.create_task(_create(session, name, {"watched": ""}))
            event = json.loads(await stream.content.readline())
            seconds.append(time.perf_counter() - sent[event["object"]["metadata"]["name"]])
            await write
    return seconds


def _sqlite() -> tuple[float, float]:
    """Seconds of one durable commit, and rows a second in commits of 32, of an object's size."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "reference.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, value BLOB)")
        value = json.dumps(_object("reference")).encode()
        commits = []
        for _ in range(200):
            begin = time.perf_counter()
            database.execute("INSERT INTO log (value) VALUES (?)", (value,))
            commits.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        for _ in range(100):
            database.execute("BEGIN")
            database.executemany("INSERT INTO log (value) VALUES (?)", [(value,)] * _CLIENTS)
            database.execute("COMMIT")
        grouped = 100 * _CLIENTS / (time.perf_counter() - begin)
        database.close()
    return quantile(commits, 0.5), grouped
