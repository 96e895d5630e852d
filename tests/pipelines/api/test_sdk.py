"""What `fairway run` relies on: the right pipeline of a file, refusals as sentences, nothing printed."""

import asyncio
from pathlib import Path

import pytest
import yaml

from fairway.pipelines.sdk import Failure, pipeline_in
from fairway.pipelines.sdk import Server as Sdk
from tests.pipelines.api.conftest import TOKEN, Server, hello

SOURCE = """
from kfp import dsl

@dsl.component(base_image="python:3.11")
def double(x: int) -> int:
    return 2 * x

@dsl.pipeline(name="first")
def {first}(x: int = 1):
    double(x=x)

@dsl.pipeline(name="second")
def second(x: int = 1):
    double(x=x)
"""


def test_the_pipeline_of_a_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.py"
    file.write_text(SOURCE.format(first="pipeline"))
    assert pipeline_in(file).name == "first"
    assert pipeline_in(file, "second").name == "second"
    file.write_text(SOURCE.format(first="other"))
    with pytest.raises(Failure, match="defines the pipelines other, second; choose one"):
        pipeline_in(file)
    file.write_text("x = 1")
    with pytest.raises(Failure, match="defines no pipeline"):
        pipeline_in(file)
    compiled = tmp_path / "compiled.yaml"
    compiled.write_text("")
    assert pipeline_in(compiled) == compiled
    notes = tmp_path / "notes.txt"
    with pytest.raises(Failure, match="is not a file"):
        pipeline_in(notes)
    notes.write_text("")
    with pytest.raises(Failure, match="neither a Python file nor"):
        pipeline_in(notes)


async def test_submitting_prints_nothing_and_refuses_in_the_servers_words(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(yaml.safe_dump(hello()))
    sdk = Sdk(server.url, TOKEN)
    run = await asyncio.to_thread(sdk.submit, file, {"text": "hi"}, run_name="mine", experiment="tries")
    assert (await asyncio.to_thread(sdk.snapshot, run)).name == "mine"
    assert capsys.readouterr().out == ""
    with pytest.raises(Failure, match="the parameter text must be one of 'hi', 'bye'"):
        await asyncio.to_thread(sdk.submit, file, {"text": "?"})
    with pytest.raises(Failure, match="send a bearer token"):
        await asyncio.to_thread(Sdk(server.url, "wrong").submit, file)
    with pytest.raises(Failure, match='there is no run "x"'):
        await asyncio.to_thread(sdk.snapshot, "x")
