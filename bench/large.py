"""A graph of 10,000 steps: whether each costs what it costs in one of 1,000, and what the server needs for it."""

from pathlib import Path

from bench import runs
from bench.measuring import Row, milliseconds
from bench.platform import Platform, peak_memory
from bench.steps import chain, fan_out, fork_and_exec_rate

_SMALL, _LARGE = 1_000, 10_000
_MB = 2**20


def measure(platform: Platform) -> list[Row]:
    runs.seconds(platform, chain)
    before = fork_and_exec_rate()
    small = runs.seconds(platform, fan_out, {"numbers": list(range(_SMALL))})
    between = fork_and_exec_rate()
    memory = peak_memory(platform.server.pid)
    large = runs.seconds(platform, fan_out, {"numbers": list(range(_LARGE))}, limit=1200)
    after = fork_and_exec_rate()
    # The machine may be another one ten minutes later: each run is held against interpreters of its own time.
    each, of_small = large / _LARGE * (between + after) / 2, small / _SMALL * (before + between) / 2
    grown = peak_memory(platform.server.pid)
    disk = sum(path.stat().st_blocks * 512 for path in Path(platform.folder).rglob("*"))
    return [
        Row(
            f"a step in a graph of {_LARGE:,}",
            milliseconds(large / _LARGE),
            "linear",
            f"{milliseconds(small / _SMALL)}: in one of {_SMALL:,}; ratio in interpreters of the same minutes",
            each / of_small,
        ),
        Row(
            f"the server's memory at its most, {_LARGE:,} steps",
            f"{grown / _MB:.0f} MB",
            "bounded",
            f"{memory / _MB:.0f} MB: {_SMALL:,} steps",
            grown / memory,
        ),
        Row("disk for each step", f"{disk / (_SMALL + _LARGE) / 1024:.1f} KB", ""),
    ]
