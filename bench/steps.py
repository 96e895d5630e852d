"""What a warm Python step costs, alone and in a fan-out of 1,000, beside fork+exec of an interpreter."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kfp import dsl

from bench import runs
from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform, cpu_seconds, processes

CHAIN, FAN_OUT = 20, 1000
_REFERENCE = 100
_SHEPHERD = "fairway.cluster.node.shepherd"


@dsl.component(base_image="python:3.11")
def noop(number: int) -> int:
    return number


@dsl.pipeline(name="chain")
def chain() -> None:
    previous = noop(number=0)
    for _ in range(CHAIN - 1):
        previous = noop(number=previous.output)


@dsl.pipeline(name="fan-out")
def fan_out(numbers: list[int]) -> None:
    with dsl.ParallelFor(numbers) as number:
        noop(number=number)


@dataclass(frozen=True)
class Cost:
    """CPU seconds that were spent: by the server, by what watches over the containers, and by these."""

    server: float
    shepherds: float
    steps: float


def measure(platform: Platform) -> list[Row]:
    runs.seconds(platform, chain)  # warms the fork server
    step = min(runs.seconds(platform, chain) for _ in range(3)) / CHAIN
    parallel = fork_and_exec_rate()
    before = _spent(platform)
    rate = FAN_OUT / runs.seconds(platform, fan_out, {"numbers": list(range(FAN_OUT))})
    cost = _difference(before, _spent(platform))
    parallel = (parallel + fork_and_exec_rate()) / 2
    executed = fork_and_exec()
    return [
        Row(
            f"one warm Python step, all in (chain of {CHAIN})",
            milliseconds(step),
            "20 ms",
            f"{milliseconds(executed)}: fork+exec of an interpreter",
            step / executed,
        ),
        Row(
            f"fan-out of {FAN_OUT:,} steps",
            f"{rate:.0f}/s",
            "150/s",
            f"{parallel:.0f}/s: fork+exec of interpreters, 2 at a time",
            rate / parallel,
        ),
        Row(
            "  CPU time for each of them",
            milliseconds((cost.server + cost.shepherds + cost.steps) / FAN_OUT),
            "",
            " + ".join(milliseconds(part / FAN_OUT) for part in (cost.server, cost.shepherds, cost.steps))
            + ": server, shepherd, step",
        ),
        Row("(floor) fork of this interpreter", milliseconds(_fork()), ""),
    ]


def fork_and_exec() -> float:
    """The median of many, one after the other."""
    seconds = []
    for _ in range(_REFERENCE):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
        seconds.append(time.perf_counter() - begin)
    return quantile(seconds, 0.5)


def fork_and_exec_rate() -> float:
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(subprocess.run, [sys.executable, "-I", "-S", "-c", "pass"]) for _ in range(200)]:
            done.result()
    return 200 / (time.perf_counter() - begin)


def _spent(platform: Platform) -> Cost:
    shepherds = processes(_SHEPHERD, str(platform.folder))
    return Cost(cpu_seconds([platform.server.pid]), cpu_seconds(shepherds), cpu_seconds(shepherds, children=True))


def _difference(before: Cost, after: Cost) -> Cost:
    return Cost(after.server - before.server, after.shepherds - before.shepherds, after.steps - before.steps)


def _fork() -> float:
    seconds = []
    for _ in range(_REFERENCE):
        begin = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        seconds.append(time.perf_counter() - begin)
    return quantile(seconds, 0.5)
