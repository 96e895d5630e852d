"""The Kubernetes API over loopback HTTPS: times, rates, and what a request costs the server.

Times and rates are of both sides together and of whatever else the machine does; the server's own CPU time for
each request is not, so it stands beside them.
"""

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.measuring import Row, against, milliseconds, quantile
from bench.platform import Platform, cpu_seconds
from bench.wire import Wire
from fairway.kernel.client import kubeconfig

_SINGLE, _MANY, _CLIENTS, _GETS, _LISTS, _WATCHED = 500, 6400, 32, 2000, 200, 300
PATH = "/api/v1/namespaces/default/configmaps"
_PAYLOAD = "x" * 1500
_COMMIT = "one SQLite commit"


def measure(platform: Platform) -> list[Row]:
    return uvloop.run(_measure(platform))


@dataclass(frozen=True)
class _Taken:
    """What a number of requests took: each one's seconds, all of them together, and the server's CPU seconds."""

    each: Sequence[float]
    wall: float
    cpu: float

    @property
    def median(self) -> float:
        return quantile(self.each, 0.5)

    @property
    def rate(self) -> float:
        return len(self.each) / self.wall

    @property
    def cost(self) -> str:
        return f"{milliseconds(self.cpu / len(self.each))}: the server's CPU time for each"


async def _measure(platform: Platform) -> list[Row]:
    access = kubeconfig.load(Path(platform.server.kubeconfig))
    wires = [await Wire.open(access) for _ in range(_CLIENTS)]
    one = wires[0]
    pid = platform.server.pid

    def creates(count: int, prefix: str) -> list[bytes]:
        return [one.request("POST", PATH, config_map(f"{prefix}-{number}")) for number in range(count)]

    alone = await _timed(pid, [one], creates(_SINGLE, "single"))
    together = await _timed(pid, wires, creates(_MANY, "many"))
    gets = [one.request("GET", f"{PATH}/single-{number % _SINGLE}") for number in range(_GETS)]
    get = await _timed(pid, [one], gets)
    for number in range(100):
        await one.ask(one.request("POST", PATH, config_map(f"labelled-{number}", {"bench": "yes"})))
    listed = await _timed(pid, [one], [one.request("GET", f"{PATH}?labelSelector=bench%3Dyes")] * _LISTS)
    delivery = await _watch_delivery(wires[0], wires[1])
    for wire in wires:
        wire.close()
    commit, grouped = _sqlite()
    at_once = f"create, {_CLIENTS} clients"
    among = f"list of 100 labelled among {_SINGLE + _MANY:,}"
    return [
        against("create, 1 client, p50", alone.median, "2 ms", commit, _COMMIT),
        Row(at_once, f"{together.rate:,.0f}/s", "1,500/s", f"{grouped:,.0f}/s: SQLite alone", together.rate / grouped),
        Row(f"{at_once}, p50", milliseconds(together.median), "", together.cost),
        Row("get, p50", milliseconds(get.median), "1 ms", get.cost),
        Row(f"{among}, p50", milliseconds(listed.median), "5 ms", listed.cost),
        against("watch delivery (write sent to event seen), p50", quantile(delivery, 0.5), "2 ms", commit, _COMMIT),
    ]


def config_map(name: str, labels: dict[str, str] | None = None, payload: str = _PAYLOAD) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels or {}},
        "data": {"payload": payload},
    }


async def _timed(pid: int, wires: Sequence[Wire], requests: Sequence[bytes]) -> _Taken:
    """Send the requests through the wires, each wire one after the other."""
    waiting = iter(requests)
    each: list[float] = []

    async def client(wire: Wire) -> None:
        for request in waiting:
            begin = time.perf_counter()
            await wire.ask(request)
            each.append(time.perf_counter() - begin)

    cpu, begin = cpu_seconds([pid]), time.perf_counter()
    await asyncio.gather(*map(client, wires))
    return _Taken(each, time.perf_counter() - begin, cpu_seconds([pid]) - cpu)


async def _watch_delivery(watching: Wire, writing: Wire) -> list[float]:
    await watching.watch(watching.request("GET", f"{PATH}?watch=true&labelSelector=watched"))
    seconds = []
    for number in range(_WATCHED):
        request = writing.request("POST", PATH, config_map(f"watched-{number}", {"watched": ""}))
        begin = time.perf_counter()
        write = asyncio.ensure_future(writing.ask(request))
        event = json.loads(await watching.event())
        seconds.append(time.perf_counter() - begin)
        assert event["object"]["metadata"]["name"] == f"watched-{number}"
        await write
    return seconds


def commit_seconds() -> float:
    """Of one durable commit of an object's size."""
    return _sqlite()[0]


def _sqlite() -> tuple[float, float]:
    """Seconds of one durable commit, and rows a second in commits of 32, of an object's size."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "reference.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, value BLOB)")
        value = json.dumps(config_map("reference")).encode()
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
