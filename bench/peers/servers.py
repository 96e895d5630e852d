"""Model servers side by side: the same iris model and rows, each server on one core and the clients on another.

    python -m bench.peers setup fastapi kserve mlserver ...  # installs them, in a cache folder of their own
    python -m bench servers

Each peer is measured next to Fairway's own server at the same time, and the ratio is between the two; numbers of
different runs say little about each other.
"""

import asyncio
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from bench import load
from bench.load import Load
from bench.measuring import Row, milliseconds
from bench.peers.places import Peer
from bench.platform import Platform, cpu_seconds, family, free_port, proportional_memory

_SECONDS = 2.0
_PATIENCE = 180.0
"""Seconds until a server that starts is given up; on a busy machine Ray alone takes more than a minute."""


@dataclass(frozen=True)
class Server(Peer):
    """`v1` and `v2` are the paths of its predictions, where it speaks these protocols; `program` starts it."""

    v1: str = ""
    v2: str = ""
    ready: str = "/v2/health/ready"
    live: str = ""
    """What its own documentation has polled; where it says none, that it is ready."""
    grpc: bool = False
    """It speaks V2 over gRPC too, at the next port."""


SERVERS = (
    Server("fastapi", ("fastapi", "uvicorn[standard]", "scikit-learn", "joblib"), "fastapi_server.py",
           "one worker, predict on the event loop", v1="/predict", ready="/docs"),
    Server("kserve", ("kserve", "scikit-learn", "joblib"), "kserve_server.py", "ModelServer, one worker",
           v1="/v1/models/iris:predict", v2="/v2/models/iris/infer", live="/v2/health/live", grpc=True),
    Server("mlserver", ("mlserver", "mlserver-sklearn"), "mlserver_server.py", "parallel_workers 0",
           v2="/v2/models/iris/infer", live="/v2/health/live", grpc=True),
    Server("triton", ("nvidia-pytriton", "scikit-learn", "joblib"), "triton_server.py", "Python backend, one instance",
           v2="/v2/models/iris/infer", live="/v2/health/live", grpc=True, interpreter="/usr/bin/python3"),
    Server("bentoml", ("bentoml", "scikit-learn", "joblib"), "bentoml_server.py", "one worker",
           v1="/predict", ready="/readyz", live="/livez"),
    Server("litserve", ("litserve", "scikit-learn", "joblib"), "litserve_server.py", "one worker on the CPU",
           v1="/predict", ready="/health"),
    Server("ray", ("ray[serve]", "scikit-learn", "joblib"), "ray_server.py", "one replica",
           v1="/predict", ready="/predict", live="/-/healthz"),
)  # fmt: skip
OURS = Server("fairway", (), "", "one worker", v1="/v1/models/iris:predict", v2="/v2/models/iris/infer",
              live="/v2/health/live", grpc=True)  # fmt: skip


@dataclass(frozen=True)
class Running:
    """A server that answers. `began` is how many seconds that took."""

    port: int
    pid: int
    began: float

    @property
    def processes(self) -> list[int]:
        return family(self.pid)


@dataclass(frozen=True)
class Case:
    """`width` columns of floats; `binary` sends them raw over V2."""

    rows: int
    width: int
    clients: int
    binary: bool = False

    def __str__(self) -> str:
        how = "raw" if self.binary else "JSON"
        return f"{self.rows}x{self.width} {how}, {self.clients} clients"

    def message(self, server: Server) -> bytes | None:
        """None where the server has no such protocol."""
        table = np.tile([6.8, 2.8, 4.8, 1.4], (self.rows, self.width // 4))
        if server.v1 and not self.binary:
            return load.request(server.v1, json.dumps({"instances": table.tolist()}).encode())
        if not server.v2:
            return None
        tensor: dict[str, object] = {"name": "input-0", "shape": list(table.shape), "datatype": "FP32"}
        if not self.binary:
            return load.request(server.v2, json.dumps({"inputs": [tensor | {"data": table.ravel().tolist()}]}).encode())
        raw = struct.pack(f"<{table.size}f", *table.ravel())
        head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(raw)}}]}).encode()
        length = f"Inference-Header-Content-Length: {len(head)}"
        return load.request(server.v2, head + raw, length, "Content-Type: application/octet-stream")


CASES = (
    Case(1, 4, 1),
    Case(1, 4, 8),
    Case(1, 4, 32),
    Case(1, 4, 128),
    Case(64, 4, 8),
    Case(1000, 100, 8),
    Case(2621, 100, 4, binary=True),
)
"""The last is a tensor of 1 MB."""


def measure(platform: Platform) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        models = {width: _saved(Path(folder), width) for width in (4, 100)}
        for peer in SERVERS:
            if not peer.installed:
                rows.append(Row(peer.name, "not installed", "", "python -m bench.peers setup"))
                continue
            for width, model in models.items():
                cases = [case for case in CASES if case.width == width]
                with running(OURS, model) as ours, running(peer, model) as theirs:
                    rows += _beside(peer, cases, ours, theirs)
    return rows


def _beside(peer: Server, cases: Sequence[Case], ours: Running, theirs: Running) -> Iterator[Row]:
    for case in cases:
        our_message, their_message = case.message(OURS), case.message(peer)
        if our_message is None or their_message is None:
            continue
        what = f"{case} (beside {peer.name})"
        with load.on_core(1):
            mine, told = _asked(ours, our_message, case)
            try:
                their, said = _asked(theirs, their_message, case)
            except (OSError, asyncio.IncompleteReadError) as failure:
                yield Row(what, told, "", f"{peer.name} failed: {failure}")
                continue
        yield Row(
            what,
            told,
            _budget(peer, case),
            f"{said}: {peer.name}, {peer.mode}",
            mine.rate / their.rate,
        )


def _budget(peer: Server, case: Case) -> str:
    if peer.name == "fastapi":
        return "median + 0.5 ms"
    if peer.name == "triton":
        return "half the rate" if case.binary else ""
    return "twice the rate" if peer.name in ("kserve", "mlserver") else ""


def _asked(server: Running, message: bytes, case: Case) -> tuple[Load, str]:
    """What came of it, and the same in words: the processor's time of a request, and the memory, are of all processes
    of the server."""
    load.closed(server.port, message, clients=2, seconds=0.3)
    before = cpu_seconds(server.processes)
    seen = load.closed(server.port, message, clients=case.clients, seconds=_SECONDS)
    each = (cpu_seconds(server.processes) - before) / (seen.rate * _SECONDS)
    memory = proportional_memory(server.processes) / 2**20
    return seen, f"{said(seen)}; {milliseconds(each)} of CPU each, {memory:.0f} MiB"


def said(seen: Load) -> str:
    errors = f", {seen.errors} errors" if seen.errors else ""
    return f"{seen.rate:.0f}/s, {milliseconds(seen.median)}, p99 {milliseconds(seen.slowest)}{errors}"


def _saved(folder: Path, width: int) -> Path:
    rows, classes = load_iris(return_X_y=True)
    place = folder / f"iris-{width}"
    place.mkdir()
    joblib.dump(LogisticRegression(max_iter=500).fit(np.tile(rows, (1, width // 4)), classes), place / "model.joblib")
    return place


@contextmanager
def running(server: Server, model: Path, *flags: str, **variables: str) -> Iterator[Running]:
    """On the first core. `flags` are those of ours."""
    port = _two_free_ports()
    if server is OURS:
        command = [sys.executable, "-m", "fairway.serving.inpod", "--model_name=iris", f"--model_dir={model}"]
        command += [f"--http_port={port}", f"--grpc_port={port + 1}", *flags]
    else:
        program = Path(__file__).with_name(server.program)
        command = [str(server.python), str(program), str(model), str(port)]
    scratch = tempfile.mkdtemp(prefix="bench-")  # Triton's program makes its repository there
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": scratch, **variables}
    begin = time.perf_counter()
    with load.on_core(0):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables)
    try:
        _await(f"http://127.0.0.1:{port}{server.ready}", process)
        yield Running(port, process.pid, time.perf_counter() - begin)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def _two_free_ports() -> int:
    """The first of two neighbours: gRPC is at the second."""
    while True:
        port = free_port()
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port + 1))
            return port


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    code = process.poll()
    what = f"within {_PATIENCE:.0f} s" if code is None else f"and its server ended with {code}"
    raise OSError(f"nothing answers at {url} {what}")
