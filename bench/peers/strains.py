"""Model servers under what a day brings: requests at a fixed rate, gRPC, a slow model that is looked after, a hundred
models, a start. Ours beside each peer that can do it, as in `servers`.

A slow model computes, in scikit-learn's own Python, for about as long as its name says; health is looked at fifty times
a second meanwhile, and what is told is how long the slowest of a hundred looks took.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression

from bench import grpc_load, load
from bench.load import Load
from bench.measuring import Row, milliseconds, quantile
from bench.peers.servers import CASES, OURS, SERVERS, Running, Server, running, said
from bench.platform import Platform, proportional_memory

_ONE = CASES[0]
_RATES = (50, 200, 500)
_SECONDS = 4.0
_SLOW = (0.05, 0.5)
_NAMES = tuple(f"iris-{number}" for number in range(100))
_MANY = ("kserve", "mlserver")
"""Those whose programs take many models."""


def measure(platform: Platform) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quick = _saved(folder / "quick", LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)))
        slow = {seconds: _slow(folder / f"slow-{seconds}", seconds) for seconds in _SLOW}
        for peer in SERVERS:
            if not peer.installed:
                rows.append(Row(peer.name, "not installed", "", "python -m bench.peers setup"))
                continue
            rows += _at_ease(peer, quick)
            for seconds, model in slow.items():
                rows += _looked_after(peer, model, seconds)
            if peer.name in _MANY:
                rows += _many(peer, quick, folder / "many")
    return rows


def _at_ease(peer: Server, model: Path) -> Iterator[Row]:
    """A start, requests at fixed rates, and gRPC."""
    with running(OURS, model) as ours, running(peer, model) as theirs:
        what = f"from start to ready (beside {peer.name})"
        yield Row(what, f"{ours.began:.2f} s", "", f"{theirs.began:.2f} s: {peer.name}", ours.began / theirs.began)
        with load.on_core(1):
            for rate in _RATES:
                mine, their = _at_rate(OURS, ours, rate), _at_rate(peer, theirs, rate)
                ratio = mine.median / their.median
                yield Row(f"{rate}/s, whatever comes back (beside {peer.name})", said(mine), "", said(their), ratio)
            if peer.grpc:
                for clients in (1, 8):
                    mine, their = _by_grpc(ours, clients), _by_grpc(theirs, clients)
                    ratio = mine.rate / their.rate
                    yield Row(f"gRPC, {clients} clients (beside {peer.name})", said(mine), "", said(their), ratio)


def _at_rate(server: Server, at: Running, rate: float) -> Load:
    message = _ONE.message(server)
    assert message is not None, "every server takes one row"
    load.closed(at.port, message, clients=2, seconds=0.3)
    return load.opened(at.port, message, rate=rate, seconds=_SECONDS)


def _by_grpc(at: Running, clients: int) -> Load:
    grpc_load.closed(at.port + 1, clients=clients, seconds=0.3)
    return grpc_load.closed(at.port + 1, clients=clients, seconds=2.0)


def _looked_after(peer: Server, model: Path, seconds: float) -> Iterator[Row]:
    with running(OURS, model) as ours, running(peer, model) as theirs, load.on_core(1):
        mine, their = _looks(OURS, ours), _looks(peer, theirs)
        what = f"health while a model computes {seconds * 1000:.0f} ms for each (beside {peer.name})"
        yield Row(what, _told(mine), "", f"{_told(their)}: {peer.name}", quantile(mine, 0.99) / quantile(their, 0.99))


def _looks(server: Server, at: Running) -> list[float]:
    message = _ONE.message(server)
    assert message is not None, "every server takes one row"

    async def looking() -> list[float]:
        end = asyncio.Event()
        polling = asyncio.create_task(load.polled(at.port, server.live or server.ready, end))
        await load.asking(at.port, message, 4, _SECONDS)
        end.set()
        return await polling

    return asyncio.run(looking())


def _told(times: list[float]) -> str:
    return f"{milliseconds(quantile(times, 0.5))}, p99 {milliseconds(quantile(times, 0.99))}"


def _many(peer: Server, model: Path, folder: Path) -> Iterator[Row]:
    """All in one server: memory, and how long until all are ready."""
    for name in _NAMES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "model.joblib").write_bytes((model / "model.joblib").read_bytes())
    with running(OURS, folder) as ours, running(peer, model, BENCH_MODELS=",".join(_NAMES)) as theirs:
        mine, their = (proportional_memory(at.processes) / 2**20 for at in (ours, theirs))
        what = f"{len(_NAMES)} models in one server (beside {peer.name})"
        reference = f"{their:.0f} MiB, ready after {theirs.began:.2f} s: {peer.name}"
        yield Row(what, f"{mine:.0f} MiB, ready after {ours.began:.2f} s", "", reference, mine / their)


def _saved(folder: Path, estimator: object) -> Path:
    folder.mkdir()
    joblib.dump(estimator, folder / "model.joblib")
    return folder


def _slow(folder: Path, seconds: float) -> Path:
    """A forest of as many trees as take that long for a row, on this machine, now."""
    rows, classes = load_iris(return_X_y=True)
    trees = 100
    while True:
        forest = ExtraTreesClassifier(n_estimators=trees, max_depth=1).fit(rows, classes)
        forest.predict(rows[:1])
        begin = time.perf_counter()
        forest.predict(rows[:1])
        took = time.perf_counter() - begin
        if took > 0.7 * seconds:
            return _saved(folder, forest)
        trees = int(trees * min(8.0, seconds / took)) + 1
