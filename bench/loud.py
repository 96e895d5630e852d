"""A step that prints a gigabyte: what it costs the others meanwhile, and what stays of it on the disk."""

import json
import time

from kfp import dsl

from bench import runs
from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform, peak_memory
from bench.steps import CHAIN, chain

_MEGABYTES = 1000
_MB = 2**20


@dsl.component(base_image="python:3.11")
def shout(megabytes: int) -> int:
    import sys

    line = "a line of a log that is a hundred bytes long, give or take a few, as the lines of logs usually are\n"
    for _ in range(megabytes * 10):
        sys.stdout.write(line * 1000)
    return megabytes


@dsl.pipeline(name="shouting")
def shouting(megabytes: int) -> None:
    shout(megabytes=megabytes)


def measure(platform: Platform) -> list[Row]:
    runs.seconds(platform, chain)
    quiet = quantile([runs.seconds(platform, chain) / CHAIN for _ in range(5)], 0.5)
    begin = time.perf_counter()
    run = runs.started(platform, shouting, {"megabytes": _MEGABYTES})
    meanwhile = []
    while runs.phase(platform, run) not in runs.OVER:
        meanwhile.append(runs.seconds(platform, chain) / CHAIN)
    taken = time.perf_counter() - begin
    assert runs.phase(platform, run) == "SUCCEEDED", json.dumps(run)
    logs = sum(path.stat().st_size for path in platform.folder.rglob("log*") if path.is_file())
    return [
        Row(
            "a step of a chain while another step prints 1 GB",
            milliseconds(quantile(meanwhile, 0.5)),
            "",
            f"{milliseconds(quiet)}: while nothing else runs",
            quantile(meanwhile, 0.5) / quiet,
        ),
        Row("  until all of it is read", f"{taken:.1f} s", ""),
        Row("  what is kept of it", f"{logs / _MB:.0f} MB", "20 MB"),
        Row("  the server's memory at its most", f"{peak_memory(platform.server.pid) / _MB:.0f} MB", "bounded"),
    ]
