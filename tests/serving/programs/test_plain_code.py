"""A class or a function that imports nothing of ours becomes a program, by its parameters and their types."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod import programs
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Message, Tensor
from tests.serving.programs.conftest import answer, v1, v2, while_our_loop_turns

Load = Callable[..., Any]


async def test_a_function_without_types_gets_numbers_as_an_array(load: Load) -> None:
    program = load("def predict(x):\n    return x.sum(axis=1)")
    assert await v1(program, [1, 2], [3, 4]) == {"predictions": [3, 7]}
    assert await v2(program, x=np.array([[1.5, 2.5]])) == {"output-0": [4.0]}


async def test_rows_that_are_objects_become_a_frame_and_texts_a_list(load: Load) -> None:
    program = load("def predict(x):\n    return [str(type(x).__name__)]")
    assert await v1(program, {"a": 1}, {"a": 2}) == {"predictions": ["DataFrame"]}
    assert await v1(program, "one", "two") == {"predictions": ["list"]}


async def test_types_choose_the_form(load: Load) -> None:
    text = """
    import numpy as np
    import pandas as pd

    class Model:
        def predict(self, rows: {kind}):
            return type(rows).__name__
    """
    for kind, name in (("np.ndarray", "ndarray"), ("list", "list"), ("pd.DataFrame", "DataFrame"), ("dict", "dict")):
        assert await v1(load(text.replace("{kind}", kind), f"{name}.py", FAIRWAY_PROGRAM=f"{name}.py"), [1, 2]) == {
            "predictions": name
        }


async def test_scalars_are_asked_for_row_by_row_and_checked(load: Load) -> None:
    program = load("""
    def predict(age: float, smoker: bool = False) -> float:
        return age * (2 if smoker else 1)
    """)
    assert await v1(program, {"age": 3}, {"age": 4.0, "smoker": True}) == {"predictions": [3.0, 8.0]}
    assert await v1(program, [5.0, True]) == {"predictions": [10.0]}
    assert await v2(program, age=np.array([1.0, 2.0]), smoker=np.array([True, False])) == {"output-0": [2.0, 2.0]}
    assert program.signature.inputs == (Tensor("age", "FP64", (-1,)), Tensor("smoker", "BOOL", (-1,)))
    for row, sentence in (
        ({"smoker": True}, "instances[0] has no age."),
        ({"age": "old"}, "instances[0].age must be a number, not 'old'."),
        ({"age": 1, "name": "x"}, "instances[0] has name, which is not asked for; age, smoker is."),
        (7, "instances[0] must be an object with age, smoker."),
    ):
        with pytest.raises(Refusal, match="instances") as refused:
            await v1(program, row)
        assert (refused.value.status, str(refused.value)) == (400, sentence)


async def test_a_dataclass_is_made_of_each_row(load: Load) -> None:
    program = load("""
    from dataclasses import dataclass

    @dataclass
    class Order:
        price: float
        pieces: int = 1

    class Shop:
        def predict(self, order: Order) -> float:
            return order.price * order.pieces
    """)
    assert await v1(program, {"price": 2.5, "pieces": 2}, {"price": 1.0}) == {"predictions": [5.0, 1.0]}
    with pytest.raises(Refusal, match=r"instances\[0\]: .*unexpected keyword argument 'cost'"):
        await v1(program, {"cost": 1})


async def test_several_arrays_are_columns_by_name(load: Load) -> None:
    program = load("""
    import numpy as np

    class Model:
        def predict(self, a: np.ndarray, b: np.ndarray):
            return {"sum": a + b, "difference": a - b}
    """)
    assert await v2(program, a=np.array([3]), b=np.array([1])) == {"sum": [4], "difference": [2]}
    assert await v1(program, {"a": 3, "b": 1}) == {"predictions": {"sum": [4], "difference": [2]}}
    with pytest.raises(Refusal, match="The request has no b"):
        await v2(program, a=np.array([3]))


async def test_a_function_of_the_whole_body_gives_the_whole_answer(load: Load) -> None:
    program = load("def predict(body: dict, headers: dict):\n    return {'echo': body, 'who': headers['x-user']}")
    reply = await answer(program, Message("predict", {"x-user": "ada"}, body={"free": "form"}))
    assert reply.body == {"echo": {"free": "form"}, "who": "ada"}


async def test_a_class_is_loaded_once_and_its_steps_follow_each_other(load: Load, tmp_path: Path) -> None:
    program = load("""
    class Model:
        def __init__(self, name, model_dir, factor=10):
            self.name, self.folder, self.factor = name, model_dir, factor

        def load(self):
            self.loaded = True

        def preprocess(self, rows: list):
            return [row * self.factor for row in rows]

        def predict(self, rows):
            return [row + 1 for row in rows] if self.loaded else None

        def postprocess(self, rows):
            return {"predictions": rows, "model": self.name}

        def explain(self, rows):
            return {"because": rows}

        def close(self):
            self.loaded = False
    """)
    assert await v1(program, 1, 2) == {"predictions": [11, 21], "model": "m"}
    explained = await answer(program, Message("explain", {}, body={"instances": [1]}))
    assert explained.body == {"explanations": {"because": [10]}}
    assert program.owner.folder == str(tmp_path)
    program.close()
    assert program.owner.loaded is False


async def test_what_a_program_raises_becomes_a_status_and_a_sentence(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    program = load("""
    class Teapot(Exception):
        status_code = 418
        detail = "I am a teapot."

    def predict(x: list):
        if x[0] == "value": raise ValueError("The value is wrong.")
        if x[0] == "teapot": raise Teapot
        if x[0] == "todo": raise NotImplementedError("Not yet.")
        return x[7]
    """)
    for word, status, sentence in (
        ("value", 400, "The value is wrong."),
        ("teapot", 418, "I am a teapot."),
        ("todo", 501, "Not yet."),
        ("bug", 500, "The program failed: IndexError: list index out of range"),
    ):
        with pytest.raises(Refusal) as refused:
            await v1(program, word)
        assert (refused.value.status, str(refused.value)) == (status, sentence)
    assert "return x[7]" in capsys.readouterr().err
    web = load("""
    class HTTPException(Exception):
        status_code, detail = 404, {"why": "Intentional"}

    def predict(x: list):
        if x == ["complex"]:
            HTTPException.detail = 1j
        raise HTTPException
    """)
    with pytest.raises(Refusal) as refused:
        await v1(web, "x")
    # As FastAPI answers it, which is what upstream's own programs raise and their clients read.
    assert refused.value.answer().body == b'{"detail":{"why":"Intentional"}}'
    with pytest.raises(Refusal) as refused:
        await v1(web, "complex")
    assert refused.value.answer().body == b'{"detail":"1j"}'
    with pytest.raises(Refusal, match="no explain") as refused:
        await answer(program, Message("explain", {}, body={"instances": [1]}))
    assert refused.value.status == 501


async def test_a_coroutine_that_blocks_leaves_our_loop_free(load: Load, tmp_path: Path) -> None:
    program = load(f"""
    import os, time

    async def predict(x: list):
        while not os.path.exists({str(tmp_path / "gate")!r}):
            time.sleep(0.01)
        return x
    """)
    assert program.asynchronous
    asked = asyncio.create_task(v1(program, 1))
    assert await while_our_loop_turns(asked, tmp_path / "gate") == {"predictions": [1]}


async def test_plain_steps_of_a_program_with_coroutines_run_beside_its_loop(load: Load) -> None:
    program = load("""
    import threading

    class Model:
        async def predict(self, x: list):
            return [threading.current_thread().name, *x]

        def postprocess(self, x):
            return [threading.current_thread().name, *x]
    """)
    after, during, row = (await v1(program, 1))["predictions"]
    assert row == 1 and during.startswith("loop-") and not after.startswith("loop-")
    assert during != threading.current_thread().name


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_generator_streams_and_is_closed_when_nobody_reads_on(load: Load, kind: str) -> None:
    program = load(f"""
    ended = []

    class Model:
        ended = ended

        {kind} predict(self, x: list):
            try:
                for number in range(1000):
                    yield f"{{number}} " if number else {{"first": x}}
            finally:
                ended.append(True)
    """)
    reply = await answer(program, Message("predict", {}, body={"instances": [1]}))
    assert reply.stream is not None
    assert [await anext(reply.stream) for _ in range(3)] == [b'{"first":[1]}\n', b"1 ", b"2 "]
    await reply.stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        while not program.owner.ended:
            await asyncio.sleep(0.01)


def test_one_at_a_time_is_a_promise(load: Load) -> None:
    program = load("""
    import time

    class Model:
        one_at_a_time = True
        inside = most = 0

        def predict(self, x: list):
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.01)
            self.inside -= 1
            return x
    """)
    threads = [
        threading.Thread(target=program.answer, args=(Message("predict", {}, body={"instances": [1]}),))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert program.owner.most == 1


async def test_a_module_beside_the_program_can_be_imported(load: Load, tmp_path: Path) -> None:
    (tmp_path / "prices_of_today.py").write_text("FACTOR = 3")
    program = load("from prices_of_today import FACTOR\ndef predict(x):\n    return x * FACTOR")
    assert await v1(program, 2) == {"predictions": [6]}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "has no program: a Python file (model.py) or an R file (model.R, model.rds)."),
        ({"a.py": "", "b.py": ""}, "has a.py, b.py: call one of them model.py, or name it in FAIRWAY_PROGRAM."),
        ({"model.py": "x = 1"}, "model.py has nothing to serve: a class with predict"),
        ({"model.py": "import nothing_like_it"}, "needs the package nothing_like_it, which is not installed"),
        ({"model.py": "1 / 0"}, "model.py does not load: ZeroDivisionError: division by zero"),
        (
            {"model.py": "class A:\n def predict(self, x): ...\nclass B:\n def predict(self, x): ..."},
            "model.py has A, B: name one in FAIRWAY_PROGRAM, as model.py:NAME.",
        ),
        (
            {"model.py": "class A:\n def __init__(self, colour): ...\n def predict(self, x): ..."},
            "The constructor of A wants colour; it can have name and model_dir",
        ),
        (
            {"model.py": "class A:\n def load(self): raise OSError('no weights')\n def predict(self, x): ..."},
            "The program m does not load: OSError: no weights",
        ),
    ],
)
def test_what_cannot_be_served_says_what_to_do(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(CannotLoad) as refused:
        programs.load("", "m", tmp_path, {})
    assert sentence in str(refused.value)


def test_a_program_does_not_see_our_flags(load: Load) -> None:
    program = load("import sys\nARGUMENTS = list(sys.argv)\ndef predict(x):\n    return ARGUMENTS")
    (only,) = program.owner.__globals__["ARGUMENTS"]
    assert only.endswith("model.py")


async def test_a_name_chooses_among_several(load: Load) -> None:
    text = "class A:\n def predict(self, x): return 'a'\nclass B:\n def predict(self, x): return 'b'"
    assert await v1(load(text, FAIRWAY_PROGRAM="model.py:B"), 1) == {"predictions": "b"}


async def test_dates_and_frames_are_answered_as_json(load: Load) -> None:
    program = load("""
    import pandas as pd

    def predict(x):
        return pd.DataFrame({"n": [1, 2], "s": ["a", "b"]})
    """)
    assert await v1(program, 1) == {"predictions": [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]}
    assert await v2(program, x=np.array([1])) == {"n": [1, 2], "s": ["a", "b"]}
