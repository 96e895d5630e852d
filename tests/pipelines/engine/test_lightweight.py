"""A function that is called directly means what it means to kfp's executor: same values, same refusals."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from player import forked
from specs import IMPORTS, KINDS

USUAL = ["--executor_input", "{{$}}", "--function_to_execute", "run"]
BY_KFP = ["--function_to_execute", "run", "--executor_input", "{{$}}"]
"""The same arguments in an order in which the SDK never writes them: kfp's own executor reads them."""


def outcome(
    root: Path, source: str, args: list[str], inputs: dict[str, Any], output: str
) -> tuple[dict[str, Any], str]:
    """(what the step left, what it printed)"""
    folder = written(root, source, args, inputs, output)
    forked(folder)
    return json.loads((folder / "outcome.json").read_text()), (folder / "log").read_text()


def written(root: Path, source: str, args: list[str], inputs: dict[str, Any], output: str) -> Path:
    """The folder of a task."""
    folder = root / str(uuid.uuid4())
    folder.mkdir()
    given = {"inputs": {"parameterValues": inputs}} if inputs else {}
    parameters = {"Output": {"outputFile": f"{folder}/parameters/Output"}} if output else {}
    made = {"outputFile": f"{folder}/outputs/executor_output.json", "parameters": parameters}
    task = {
        "python": True,
        "command": ["sh", "-ec", "as the SDK has it", IMPORTS + source],
        "args": args,
        "executorInput": {**given, "outputs": made},
        "defaults": {},
        "job": {},
        "outputs": {"Output": output} if output else {},
    }
    (folder / "task.json").write_text(json.dumps(task))
    return folder


CASES = {
    "a number": ("def run(n: int) -> int:\n    return n + 1\n", {"n": 2}, int),
    "a whole number for a float": ("def run(n: float) -> float:\n    return 3\n", {"n": 2}, float),
    "a boolean for a number": ("def run() -> int:\n    return True\n", {}, int),
    "a number for a text": ("def run() -> str:\n    return 1\n", {}, str),
    "keys that are numbers": ("def run() -> dict:\n    return {1: (2, 3.0), 'x': None}\n", {}, dict),
    "not a number": ("def run() -> float:\n    return float('nan')\n", {}, float),
    "what JSON has not": ("def run() -> list:\n    return [{1, 2}]\n", {}, list),
    "a subclass": ("import enum\n\nclass E(enum.IntEnum):\n    A = 4\n\ndef run() -> int:\n    return E.A\n", {}, int),
    "a default": ("def run(a: int, b: str = 'b') -> str:\n    return f'{a}{b}'\n", {"a": 1}, str),
    "null": ("def run(a: str = 'own') -> str:\n    return a\n", {"a": None}, str),
    "an optional input": ("def run(a: Optional[int] = None) -> str:\n    return str(a)\n", {}, str),
    "a typed list": ("def run(a: List[int]) -> List[int]:\n    return a[::-1]\n", {"a": [1, 2]}, list),
    "nothing though declared": ("def run() -> int:\n    pass\n", {}, int),
    "something though undeclared": ("def run():\n    return 1\n", {}, ""),
    "nothing": ("def run():\n    pass\n", {}, ""),
    "a missing input": ("def run(a: int) -> int:\n    return a\n", {}, int),
    "an input without a type": ("def run(a, b: int = 1) -> int:\n    return b\n", {"b": 2}, int),
    "a wrapped function": (
        "import functools\n\ndef twice(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n"
        "        return 2 * f(*a, **k)\n    return g\n\n@twice\ndef run(n: int) -> int:\n    return n\n",
        {"n": 3},
        int,
    ),
    "a place of its own": ("def run() -> str:\n    return dsl.get_uri()[-7:]\n", {}, str),
}


@pytest.mark.parametrize("case", CASES)
def test_it_means_the_same_as_to_kfp(tmp_path: Path, case: str) -> None:
    source, inputs, type_ = CASES[case]
    output = KINDS[type_] if isinstance(type_, type) else ""
    ours, _ = outcome(tmp_path, source, USUAL, inputs, output)
    theirs, _ = outcome(tmp_path, source, BY_KFP, inputs, output)
    assert json.dumps(ours) == json.dumps(theirs)


def test_what_an_author_logs_is_in_the_log(tmp_path: Path) -> None:
    source = "import logging\n\ndef run():\n    logging.info('a note')\n    print('a line')\n"
    folder = written(tmp_path, source, USUAL, {}, "")
    command = [sys.executable, "-m", "fairway.pipelines.inpod", str(folder)]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert log.splitlines()[0].endswith("INFO]: a note")
    assert log.splitlines()[1:] == ["a line"]


def test_a_process_that_the_function_starts_finds_the_source(tmp_path: Path) -> None:
    source = (
        "def double(n):\n    return 2 * n\n\n"
        "def run(n: int) -> int:\n"
        "    import multiprocessing\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.apply(double, (n,))\n"
    )
    left, log = outcome(tmp_path, source, USUAL, {"n": 4}, "NUMBER_INTEGER")
    assert left.get("parameters") == {"Output": 8}, log
