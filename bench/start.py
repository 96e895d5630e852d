"""How long `fairway up` takes until everything is ready, and what the platform costs while it does nothing."""

import subprocess
import sys
import time

from bench.measuring import Row
from bench.platform import Platform, cpu_seconds, family, proportional_memory

_SETTLE, _IDLE = 5.0, 10.0


def measure(platform: Platform) -> list[Row]:
    reference = _interpreter_with_libraries()
    time.sleep(_SETTLE)
    pids = family(platform.server.pid)
    before = cpu_seconds(pids)
    time.sleep(_IDLE)
    busy = (cpu_seconds(pids) - before) / _IDLE
    memory = proportional_memory(pids) / 2**20
    started = platform.started_in
    return [
        Row(
            "fairway up until API, dashboard and controllers are ready",
            f"{started:.2f} s",
            "2 s",
            f"{reference:.2f} s: an interpreter that imports aiohttp and sqlalchemy",
            started / reference,
        ),
        Row("idle memory (PSS, all processes)", f"{memory:.0f} MB", "150 MB"),
        Row("idle CPU", f"{busy * 100:.2f} %", "1 %"),
    ]


def _interpreter_with_libraries() -> float:
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import aiohttp, sqlalchemy"], check=True)
        best = min(best, time.perf_counter() - begin)
    return best
