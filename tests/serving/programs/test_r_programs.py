"""R scripts and saved R models behind V1 and V2."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod import programs
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Message
from tests.serving.programs.conftest import answer, v1, v2

Load = Callable[..., Any]


def _has_r() -> bool:
    ask = ["Rscript", "--vanilla", "-e", "if (!requireNamespace('jsonlite', quietly = TRUE)) quit(status = 1)"]
    return shutil.which("Rscript") is not None and subprocess.run(ask, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _has_r(), reason="Rscript with jsonlite is not installed")


async def test_a_function_of_a_frame_sees_columns_by_name(load: Load) -> None:
    program = load("predict <- function(data) data$width * data$height", "model.R")
    assert await v1(program, {"width": 2, "height": 1.5}, {"width": 4, "height": 1}) == {"predictions": [3.0, 4.0]}
    assert await v2(program, width=np.array([2.0]), height=np.array([5.0])) == {"output-0": [10.0]}


async def test_rows_without_names_are_a_matrix(load: Load) -> None:
    program = load("predict <- function(x) rowSums(x)", "model.R")
    assert await v1(program, [1, 2, 3], [4, 5, 6]) == {"predictions": [6.0, 15.0]}
    assert await v2(program, t=np.array([[1.5, 2.5]])) == {"output-0": [4.0]}


async def test_a_function_of_several_arguments_gets_them_by_name(load: Load) -> None:
    program = load("predict <- function(age, smoker = FALSE) age * ifelse(smoker, 2, 1)", "model.R")
    assert await v1(program, {"age": 3, "smoker": True}, {"age": 4, "smoker": False}) == {"predictions": [6.0, 4.0]}
    assert await v1(program, {"age": 3}) == {"predictions": [3]}
    assert await v1(load("predict <- function(age) age + 1", "model.R"), {"age": 3}) == {"predictions": [4]}
    for row, sentence in (
        ({"smoker": True}, "The request has no age."),
        ({"age": 3, "name": "x"}, "The request has name, which is not asked for."),
    ):
        with pytest.raises(Refusal) as refused:
            await v1(program, row)
        assert (refused.value.status, str(refused.value)) == (400, sentence)
    with pytest.raises(Refusal, match="The function asks for age, height; send each row as an object") as refused:
        await v1(load("predict <- function(age, height) age * height", "model.R"), [3, 1.8])
    assert refused.value.status == 400


async def test_types_go_there_and_back(load: Load) -> None:
    program = load("predict <- function(data) data", "model.R")
    row = {"text": "Grüße", "number": 1.5, "whole": 7, "truth": True, "nothing": None}
    assert await v1(program, row, row | {"nothing": 2.0}) == {
        "predictions": [row | {"nothing": pytest.approx(float("nan"), nan_ok=True)}, row | {"nothing": 2.0}]
    }
    assert await v2(program, a=np.array([1, 2]), b=np.array(["x", "y"], dtype=object)) == {"a": [1, 2], "b": ["x", "y"]}


async def test_matrices_and_factors_are_answered(load: Load) -> None:
    program = load(
        'predict <- function(x) if (x[1, 1] > 0) rbind(c(1, 2), c(3, 4)) else factor(c("no", "yes"))', "model.R"
    )
    assert await v1(program, [1.0]) == {"predictions": [[1.0, 2.0], [3.0, 4.0]]}
    assert await v2(program, x=np.array([[-1.0]])) == {"output-0": ["no", "yes"]}


async def test_a_function_of_the_body_gives_the_whole_answer(load: Load) -> None:
    program = load("predict <- function(body) list(asked = body$question, words = list(1, 'two'))", "model.R")
    assert await v1(program, question="why") == {"asked": "why", "words": [1, "two"]}


async def test_what_r_says_is_told(load: Load) -> None:
    program = load(
        """
        predict <- function(data) {
          if (data$x[1] < 0) bad_request("x must not be negative.")
          stop("The sky fell.")
        }
        """,
        "model.R",
    )
    for x, status, sentence in ((-1, 400, "x must not be negative."), (1, 500, "R: The sky fell.")):
        with pytest.raises(Refusal) as refused:
            await v1(program, {"x": x})
        assert (refused.value.status, str(refused.value)) == (status, sentence)
    with pytest.raises(Refusal, match="no function `explain`"):
        await answer(program, Message("explain", {}, body={"instances": [{"x": 1}]}))


async def test_what_a_program_prints_is_only_printed(load: Load) -> None:
    program = load('predict <- function(x) { print("hello"); cat("there\\n"); x[, 1] }', "model.R")
    assert await v1(program, [1]) == {"predictions": [1]}


async def test_an_r_that_dies_is_replaced(load: Load) -> None:
    program = load(
        "predict <- function(data) { if (data$x[1] == 13) quit(status = 7); data$x + Sys.getpid() * 0 }", "model.R"
    )
    with pytest.raises(Refusal, match="R ended with exit code 7"):
        await v1(program, {"x": 13})
    assert await v1(program, {"x": 1}) == {"predictions": [1.0]}
    os.kill(program._processes[0]._process.pid, signal.SIGKILL)
    program._processes[0]._process.wait()
    assert await v1(program, {"x": 2}) == {"predictions": [2.0]}


async def test_a_saved_model_knows_its_columns(tmp_path: Path) -> None:
    fit = "saveRDS(lm(mpg ~ wt + hp, mtcars), commandArgs(TRUE)[[1]])"
    subprocess.run(["Rscript", "--vanilla", "-e", fit, str(tmp_path / "cars.rds")], check=True)
    program = programs.load("r", "cars", tmp_path, {})
    try:
        assert program.signature.columns == ("wt", "hp")
        by_name = await v1(program, {"hp": 110, "wt": 2.62})
        assert by_name["predictions"] == [pytest.approx(23.5723, abs=1e-3)]
        assert await v1(program, [2.62, 110.0]) == by_name
        assert (await v2(program, hp=np.array([110.0]), wt=np.array([2.62])))["output-0"] == by_name["predictions"]
        with pytest.raises(Refusal, match="The model wants the columns hp too") as refused:
            await v1(program, {"wt": 2.62})
        assert refused.value.status == 400
        with pytest.raises(Refusal, match="Each row must have 2 values: wt, hp"):
            await v1(program, [1.0])
    finally:
        program.close()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x <- 1", "model.R does not load: model.R has no function `predict`."),
        ("library(nothing_like_it)", "there is no package called ‘nothing_like_it’"),
        ("quit(status = 4)", "model.R does not load: R ended with exit code 4"),
    ],
)
def test_what_does_not_load_says_why(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "model.R").write_text(text)
    with pytest.raises(CannotLoad) as refused:
        programs.load("r", "m", tmp_path, {"LC_ALL": "C.UTF-8"})
    assert sentence in str(refused.value)


async def test_a_large_table_goes_there_and_back(load: Load) -> None:
    program = load("predict <- function(data) data$a + data$b", "model.R")
    a, b = np.arange(100_000.0), np.ones(100_000)
    assert (await v2(program, a=a, b=b))["output-0"] == (a + b).tolist()
