"""MLServer's command `infer`, and its types and codecs, unmodified, against the model server.

They are of a package that wants other versions than ours, so they have an environment of their own:
$FAIRWAY_MLSERVER_PYTHON. Skipped where there is none.
"""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.serving.conftest import TWO_FLOWERS, models, serving

__all__ = ["models"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VARIABLE = "FAIRWAY_MLSERVER_PYTHON"


def interpreter() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"mlserver is not installed: name an interpreter that has it in {VARIABLE}")
    return Path(named)


async def output_of(*command: str | Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()[-3000:]
    return said.decode()


@pytest.mark.parametrize("flags", [(), ("--batch-size", "2"), ("--binary-data",)], ids=["json", "batches", "binary"])
async def test_its_command_sends_a_file_of_requests(models: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    command = interpreter().with_name("mlserver")
    given, answers = tmp_path / "requests", tmp_path / "answers"
    tensors = [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": row} for row in (*TWO_FLOWERS, [5, 3, 1, 0])]
    given.write_text("\n".join(json.dumps({"id": str(n), "inputs": [one]}) for n, one in enumerate(tensors)) + "\n")
    async with serving(models / "iris") as server:
        where = "{}:{}".format(*server.address)
        await output_of(command, "infer", "-u", where, "-m", "m", "-i", given, "-o", answers, *flags)
    read = sorted(map(json.loads, answers.read_text().splitlines()), key=lambda one: one["id"])
    assert [one["outputs"][0]["data"] for one in read] == [[1], [1], [0]]


async def test_its_types_and_codecs_make_requests_and_read_answers(models: Path) -> None:
    python = interpreter()
    async with serving(models / "frame") as server:
        said = await output_of(python, Path(__file__).with_name("mlserver_session.py"), server.url)
    expected = {"server": "fairway", "model": ["m", ["1"]], "array": [1, 0], "frame": [1, 0]}
    assert json.loads(said.splitlines()[-1]) == expected
