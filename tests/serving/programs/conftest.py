"""Programs as users write them, loaded from files and asked without a server before them."""

import asyncio
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fairway.serving.inpod import programs
from fairway.serving.inpod.model import Inputs, Message, Reply

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _what_programs_import_is_forgotten() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith(("numpy", "pandas", "fairway", "torch", "transformers")):
            del sys.modules[name]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Write a program and load it; what it holds is let go of at the end."""
    loaded: list[Any] = []

    def write_and_load(text: str, file: str = "model.py", **options: str) -> Any:
        (tmp_path / file).write_text(dedent(text))
        program = programs.load("", "m", tmp_path, options)
        loaded.append(program)
        return program

    yield write_and_load
    for program in loaded:
        program.close()


async def while_our_loop_turns(asked: asyncio.Future[Any], gate: Path) -> Any:
    """The answer of a program that blocks until there is a file, and before it proof that this loop is not blocked."""
    for _ in range(10):
        await asyncio.sleep(0.01)
        assert not asked.done()
    gate.touch()
    return await asked


async def answer(program: Any, message: Message) -> Reply:
    given = program.answer(message)
    reply = await given if inspect.isawaitable(given) else given
    assert isinstance(reply, Reply)
    return reply


async def v1(program: Any, *rows: Any, **body: Any) -> Any:
    """What a V1 request with these rows is answered with."""
    return (await answer(program, Message("predict", {}, body=body or {"instances": list(rows)}))).body


async def v2(program: Any, parameters: dict[str, Any] | None = None, **tensors: Any) -> dict[str, Any]:
    inputs = Inputs(tensors, named=len(tensors) > 1, parameters=parameters or {})
    reply = await answer(program, Message("infer", {}, inputs=inputs))
    return {name: array.tolist() for name, array in (reply.outputs or {}).items()}
