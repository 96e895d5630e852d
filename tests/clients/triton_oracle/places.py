"""Both servers, each with its repository, started for a while.

$FAIRWAY_TRITON_PYTHON is an interpreter that has the package nvidia-pytriton, whose wheel carries a real Triton.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.triton_oracle import models
from tests.ports import free_port

PYTHON = "FAIRWAY_TRITON_PYTHON"
_TRITON = Path(__file__).parents[3] / "bench/peers/triton_server.py"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Both:
    """Ports for HTTP and gRPC."""

    ours: tuple[int, int]
    tritons: tuple[int, int]


def interpreter() -> str | None:
    return os.environ.get(PYTHON)


@contextmanager
def running(python: str, folder: Path) -> Iterator[Both]:
    models.make(folder / "ours", folder / "tritons")
    ours, tritons = (free_port(), free_port()), (free_port(), free_port())
    flags = [f"--model_dir={folder / 'ours'}", f"--http_port={ours[0]}", f"--grpc_port={ours[1]}", "--linger=0"]
    with (
        _process([sys.executable, "-m", "fairway.serving.inpod", "--host=127.0.0.1", *flags], ours[0], folder / "our"),
        _process([python, str(_TRITON), str(folder / "tritons"), *map(str, tritons)], tritons[0], folder / "their"),
    ):
        yield Both(ours, tritons)


@contextmanager
def _process(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    with log.open("w") as file:
        scratch = {"TMPDIR": str(log.parent)}
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **scratch})
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[:3]} does not get ready: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
