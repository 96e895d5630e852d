"""How long `fairway up` takes until everything is ready, and what the platform costs while it does nothing."""

import subprocess
import sys
import time

from bench.measuring import Row
from bench.platform import Platform, cpu_seconds, family, proportional_memory

_SETTLE, _IDLE = 5.0, 10.0

_RESTING = """
import time
import sqlalchemy

engine = sqlalchemy.create_engine("sqlite://")
table = sqlalchemy.Table("t", sqlalchemy.MetaData(), sqlalchemy.Column("c", sqlalchemy.Integer))
table.metadata.create_all(engine)


def cost():
    begin = time.process_time()
    for number in range(10):
        with engine.connect() as connection:
            connection.execute(sqlalchemy.select(table).where(table.c.c < number)).all()
    return time.process_time() - begin


def rested():
    time.sleep(1)
    return cost()


cost()
print(min(cost() for _ in range(3)), min(rested() for _ in range(3)))
"""
"""Some machines let go of what a process has not touched for a while: it then pays for its pages again."""


def measure(platform: Platform) -> list[Row]:
    reference = _interpreter_with_libraries()
    time.sleep(_SETTLE)
    pids = family(platform.server.pid)
    before = cpu_seconds(pids)
    time.sleep(_IDLE)
    busy = (cpu_seconds(pids) - before) / _IDLE
    memory = proportional_memory(pids) / 2**20
    started = platform.started_in
    at_once, rested = _ten_queries()
    return [
        Row(
            "fairway up until API, dashboard and controllers are ready",
            f"{started:.2f} s",
            "2 s",
            f"{reference:.2f} s: an interpreter that imports aiohttp and sqlalchemy",
            started / reference,
        ),
        Row("idle memory (PSS, all processes)", f"{memory:.0f} MB", "150 MB"),
        Row(
            "idle CPU",
            f"{busy * 100:.2f} %",
            "1 %",
            f"{rested * 1000:.1f} ms: ten queries after a second of rest; {at_once * 1000:.1f} ms without it",
        ),
    ]


def _interpreter_with_libraries() -> float:
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import aiohttp, sqlalchemy"], check=True)
        best = min(best, time.perf_counter() - begin)
    return best


def _ten_queries() -> tuple[float, float]:
    """CPU seconds of a small process: at once, and after a rest."""
    said = subprocess.run([sys.executable, "-c", _RESTING], check=True, capture_output=True, text=True).stdout
    at_once, rested = map(float, said.split())
    return at_once, rested
