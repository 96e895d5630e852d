"""The examples of users' programs are what the guide shows, and do what it says."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod import programs
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Message
from tests.serving.programs.conftest import answer, v1, v2

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "serving"
OURS = ("your_own_class", "your_own_function", "kserve_model", "web_application", "r_function", "language_model")


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Iterator[Any]:
    program = programs.load("", "m", EXAMPLES / request.param, {})
    yield program
    program.close()


@pytest.mark.parametrize("folder", OURS)
def test_the_guide_shows_the_example(folder: str) -> None:
    (file,) = (path for path in (EXAMPLES / folder).iterdir() if path.is_file())
    shown = re.findall(r"```(?:python|r)\n(.*?)```", (ROOT / "docs" / "serving.md").read_text(), re.DOTALL)
    assert file.read_text() in shown, f"docs/serving.md does not show {file}"


@pytest.mark.parametrize("example", ["your_own_class"], indirect=True)
async def test_a_class(example: Any) -> None:
    flat = {"city": "Berlin", "size": 50}
    assert await v1(example, flat, flat | {"balcony": True}) == {"predictions": [260000.0, 273000.0]}
    with pytest.raises(Refusal, match="There are no prices of Bonn") as refused:
        await v1(example, {"city": "Bonn", "size": 50})
    assert refused.value.status == 400
    explained = await answer(example, Message("explain", {}, body={"instances": [flat]}))
    assert explained.body == {"explanations": [{"per_square_metre": 5200, "balcony": 1}]}


@pytest.mark.parametrize("example", ["your_own_function"], indirect=True)
async def test_a_function(example: Any) -> None:
    assert await v2(example, rows=np.array([[1.0, 3.0]])) == {"mean": [2.0], "largest": [3.0]}


@pytest.mark.parametrize("example", ["kserve_model"], indirect=True)
async def test_a_model_of_kserve(example: Any) -> None:
    assert await v1(example, 212, 32) == {"predictions": [100.0, 0.0]}
    with pytest.raises(Refusal, match="There are no temperatures"):
        await v1(example)


async def test_an_application() -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    program = programs.load("asgi", "m", EXAMPLES / "web_application", {})
    reply = await program.speak("POST", "/sentiment", "", {"content-type": "application/json"}, b'{"text": "good"}')
    assert reply.body == b'{"positive":true}'
    program.close()


async def test_r() -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    program = programs.load("r", "m", EXAMPLES / "r_function", {})
    assert await v1(program, {"wt": 2.62, "hp": 110}) == {"predictions": [pytest.approx(23.57, abs=0.01)]}
    with pytest.raises(Refusal, match="A car weighs something"):
        await v1(program, {"wt": 0, "hp": 110})
    program.close()


@pytest.mark.parametrize("example", ["language_model"], indirect=True)
async def test_a_language_model(example: Any) -> None:
    chat = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    reply = await example.speak("POST", "/openai/v1/chat/completions", "", {}, chat)
    assert reply.body["choices"][0]["message"]["content"] == "You said: hi "
