"""What it costs to pass data between steps: a table of 200 MB, parameters of 1 MB; and a step with pandas in it."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from bench import runs
from bench.measuring import Row, milliseconds
from bench.platform import Platform

_TABLE = 200_000_000
_READERS = 4
_LINKS = 10


@dsl.component(base_image="python:3.11")
def make(size: int, table: Output[Dataset]) -> None:
    import numpy

    numpy.arange(size // 8, dtype="int64").tofile(table.path)


@dsl.component(base_image="python:3.11")
def use(table: Input[Dataset], after: int) -> int:
    import numpy

    return int(numpy.fromfile(table.path, dtype="int64").sum() % 1000 + after)


@dsl.pipeline(name="table")
def table(size: int) -> None:
    made = make(size=size)
    used = use(table=made.outputs["table"], after=0)
    for _ in range(_READERS - 1):
        used = use(table=made.outputs["table"], after=used.output)


@dsl.component(base_image="python:3.11")
def hand_on(text: str) -> str:
    return text


@dsl.pipeline(name="texts")
def texts(text: str) -> None:
    previous = hand_on(text=text)
    for _ in range(_LINKS - 1):
        previous = hand_on(text=previous.output)


@dsl.component(base_image="python:3.11")
def frame(number: int) -> int:
    import pandas

    return int(pandas.DataFrame({"n": [number, 1]})["n"].sum())


@dsl.pipeline(name="frames")
def frames() -> None:
    previous = frame(number=0)
    for _ in range(_LINKS - 1):
        previous = frame(number=previous.output)


def measure(platform: Platform) -> list[Row]:
    runs.seconds(platform, frames)  # imports pandas, once
    return [*_of_the_table(platform), _of_parameters(platform), _with_pandas(platform)]


def _of_the_table(platform: Platform) -> list[Row]:
    small = min(runs.seconds(platform, table, {"size": 8000}) for _ in range(2))
    before = _on_disk(platform)
    taken = runs.seconds(platform, table, {"size": _TABLE})
    written = _on_disk(platform) - before
    reference = _in_one_process()
    return [
        Row(
            f"a table of 200 MB through {_READERS + 1} steps",
            f"{taken:.2f} s",
            "no copy",
            f"{reference:.2f} s: one process that writes it, and reads it {_READERS} times",
            taken / reference,
        ),
        Row(
            "  of that for the bytes; written to disk",
            f"{taken - small:.2f} s; {written / _TABLE:.3f} times",
            "once",
            f"{reference:.2f} s",
            (taken - small) / reference,
        ),
    ]


def _of_parameters(platform: Platform) -> Row:
    short = min(runs.seconds(platform, texts, {"text": "x"}) for _ in range(3)) / _LINKS
    long = min(runs.seconds(platform, texts, {"text": "x" * 1_000_000}) for _ in range(3)) / _LINKS
    return Row(
        f"one step with a parameter of 1 MB (chain of {_LINKS})",
        milliseconds(long),
        "",
        f"{milliseconds(short)}: with one of a byte",
        long / short,
    )


def _with_pandas(platform: Platform) -> Row:
    step = min(runs.seconds(platform, frames) for _ in range(3)) / _LINKS
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import pandas"], check=True)
    imported = time.perf_counter() - begin
    return Row(
        f"one warm step with pandas (chain of {_LINKS})",
        milliseconds(step),
        "",
        f"{milliseconds(imported)}: an interpreter that imports pandas",
        step / imported,
    )


def _on_disk(platform: Platform) -> int:
    """Bytes under the data directory, as the disk counts them."""
    return sum(path.stat().st_blocks * 512 for path in platform.folder.rglob("*") if path.is_file())


def _in_one_process() -> float:
    with tempfile.TemporaryDirectory() as folder:
        program = (
            "import numpy, sys, time\n"
            "begin = time.perf_counter()\n"
            "numpy.arange(int(sys.argv[2]) // 8, dtype='int64').tofile(sys.argv[1])\n"
            f"for _ in range({_READERS}): numpy.fromfile(sys.argv[1], dtype='int64').sum()\n"
            "print(time.perf_counter() - begin)\n"
        )
        command = [sys.executable, "-c", program, str(Path(folder) / "table"), str(_TABLE)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
