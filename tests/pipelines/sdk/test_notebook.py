"""A pipeline from a notebook cell, in a real IPython shell."""

from __future__ import annotations

import builtins
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from fairway.pipelines import sdk
from fairway.pipelines.sdk.showing import Picture
from fairway.pipelines.sdk.steps import Snapshot, Step

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")

CELL = """
@dsl.component(base_image="python:3.11")
def twice(x: int) -> int:
    return 2 * x

@dsl.pipeline(name="inner")
def inner(x: int) -> int:
    return twice(x=x).output

@dsl.pipeline(name="of-a-cell")
def outer(x: int = 1) -> int:
    return inner(x=x).output
"""


@pytest.fixture
def shell(server: sdk.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delattr(builtins, "_", raising=False)  # where it is taken, IPython leaves it alone
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    found = interactive.InteractiveShell.instance()
    found.run_cell("from kfp import dsl")
    found.run_line_magic("load_ext", "fairway.pipelines.notebook")
    yield found
    interactive.InteractiveShell.clear_instance()


def cell(shell: Any, line: str, text: str) -> Any:
    return shell.run_cell(f"%%pipeline {line}\n{textwrap.dedent(text)}")


@pytest.mark.slow
def test_the_pipeline_of_a_cell_is_run_and_drawn(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("n = 21")
    done = cell(shell, "x={n} --name answer", CELL)
    assert done.success, done.error_in_exec
    run = shell.user_ns["_"]
    assert (run.state, run.record()["display_name"], run.outputs()) == ("SUCCEEDED", "answer", {"Output": 42})
    assert "run answer is SUCCEEDED" in capsys.readouterr().out
    assert shell.user_ns["twice"] is not None
    assert "answer" in sdk.show(run)._repr_html_()


@pytest.mark.slow
def test_mistakes_in_a_cell_are_told(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for line, text, said in (
        ("", "x = 1", "the cell defines no pipeline"),
        ("x", CELL, "a parameter is NAME=VALUE, not 'x'"),
        ("--fast", CELL, "unrecognized arguments: --fast"),
        ("y=1", CELL, "the pipeline has no parameter y"),
        ("", "1 / 0", "ZeroDivisionError"),
    ):
        before = len(sdk.runs())
        cell(shell, line, text)
        captured = capsys.readouterr()
        assert said in captured.out + captured.err
        assert len(sdk.runs()) == before


def snapshot(*steps: Step) -> Snapshot:
    return Snapshot("1", "a <b>", "RUNNING", "", steps)


def step(number: int, parent: str = "", **changes: Any) -> Step:
    known: dict[str, Any] = {"name": f"s{number}", "kind": "RUNTIME", "state": "PENDING", "started": "", "finished": ""}
    return Step(str(number), parent, **{**known, "iteration": None, "message": "", **changes})


def test_a_picture_shows_names_as_text_and_says_what_is_waited_for() -> None:
    root = step(0, kind="ROOT", state="RUNNING")
    waiting = step(1, "0", name="<script>", message="waits for pool gpu: 2 of 2 in use")
    picture = Picture(snapshot(root, waiting, step(2, "1", state="CACHED")), "http://x/#/a")
    html = picture._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a &lt;b&gt;" in html
    assert "waits for pool gpu: 2 of 2 in use" in html
    assert html.index("s2") > html.index("&lt;script&gt;")
    assert str(picture) == "run a <b> is RUNNING (1 pending, 1 cached)"


def test_a_wide_loop_is_counted_and_not_drawn_whole() -> None:
    steps = [step(0, kind="ROOT"), *(step(number, "0", iteration=number) for number in range(1, 101))]
    html = Picture(snapshot(*steps), "")._repr_html_()
    assert "and 88 pending" in html
