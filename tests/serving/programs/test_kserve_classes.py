"""Classes that were written for kserve.Model, served as they are."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Inputs, Message, Tensor
from fairway.serving.inpod.programs import SITE
from tests.serving.programs.conftest import answer, v1, v2, while_our_loop_turns

Load = Callable[..., Any]

DOUBLES = """
from typing import Dict, Union

import kserve
from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.errors import InvalidInput
from kserve.utils.utils import get_predict_input, get_predict_response


class Doubles(Model):
    def __init__(self, name: str):
        super().__init__(name, return_response_headers=True)

    def load(self):
        self.ready = True

    def preprocess(self, payload: Union[Dict, InferRequest], headers: Dict[str, str] = None):
        self.request = payload
        return payload

    async def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, dict) and "instances" not in payload:
            raise InvalidInput("There are no instances.")
        response_headers["x-model"] = self.name
        # As a predictor's answer has them, of which only the unpacked body goes on.
        response_headers["content-encoding"] = "gzip"
        response_headers["Inference-Header-Content-Length"] = "7"
        return get_predict_response(payload, get_predict_input(payload) * 2, self.name)

    async def explain(self, payload, headers=None):
        return {"explanations": [headers["x-reason"]]}

    def get_input_types(self):
        return [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
"""


async def test_v1_and_v2_go_through_the_steps_of_the_class(load: Load) -> None:
    program = load(DOUBLES)
    reply = await answer(program, Message("predict", {}, body={"instances": [[1, 2]]}))
    assert (reply.body, reply.headers) == ({"predictions": [[2, 4]]}, {"x-model": "m"})
    assert await v2(program, x=np.array([[1.5, 2]], dtype=np.float32)) == {"output-0": [[3.0, 4.0]]}
    explained = await answer(program, Message("explain", {"x-reason": "because"}, body={"instances": [1]}))
    assert explained.body == {"explanations": ["because"]}
    assert program.signature.inputs == (Tensor("x", "FP32", (-1, 2)),)


async def test_a_v2_request_is_seen_whole(load: Load) -> None:
    program = load(DOUBLES)
    inputs = Inputs({"t": np.array(["a", "b"], dtype=object)}, parameters={"p": 1})
    message = Message("infer", {}, inputs=inputs, id="7", outputs=("o",), input_parameters={"t": {"q": 2}})
    reply = await answer(program, message)
    assert reply.outputs == {}  # the output that was asked for is not there
    request = program.model.request
    assert (request.id, request.parameters, request.request_outputs[0].name) == ("7", {"p": 1}, "o")
    assert (request.inputs[0].data, request.inputs[0].parameters) == (["a", "b"], {"q": 2})


async def test_errors_have_the_status_that_they_mean(load: Load) -> None:
    program = load("""
    import kserve
    from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady

    class Fails(kserve.Model):
        def predict(self, payload, headers=None):
            raise eval(payload["raise"])
    """)
    for raised, status, sentence in (
        ("InvalidInput('Too small.')", 400, "Too small."),
        ("ValueError('X has 3 features')", 400, "X has 3 features"),
        ("ModelNotFound('other')", 404, "Model with name other does not exist."),
        ("ModelNotReady('m')", 503, "Model with name m is not ready."),
        ("NotImplementedError('No.')", 501, "No."),
        ("InferenceError('Out of memory.')", 500, "Out of memory."),
        ("KeyError('price')", 500, "The model failed: KeyError: 'price'"),
    ):
        with pytest.raises(Refusal) as refused:
            await v1(program, **{"raise": raised})
        assert (refused.value.status, str(refused.value)) == (status, sentence)


async def test_a_body_without_instances_is_the_callers_mistake(load: Load) -> None:
    program = load("""
    import kserve

    class Sum(kserve.Model):
        def predict(self, payload, headers=None):
            return {"predictions": [sum(row) for row in payload["instances"]]}
    """)
    with pytest.raises(Refusal, match='no "instances"') as refused:
        await v1(program, rows=[[1]])
    assert refused.value.status == 400


async def test_without_a_predictor_the_base_class_says_so(load: Load) -> None:
    program = load("import kserve\nclass Empty(kserve.Model): pass")
    with pytest.raises(Refusal, match="no predict of its own") as refused:
        await v1(program, 1)
    assert refused.value.status == 501


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_model_that_blocks_leaves_our_loop_free(load: Load, tmp_path: Path, kind: str) -> None:
    program = load(f"""
    import os, time
    import kserve

    class Slow(kserve.Model):
        {kind} predict(self, payload, headers=None):
            while not os.path.exists({str(tmp_path / "gate")!r}):
                time.sleep(0.01)
            return payload
    """)
    await while_our_loop_turns(asyncio.create_task(v1(program, 1)), tmp_path / "gate")


async def test_an_iterator_of_a_model_is_streamed(load: Load) -> None:
    program = load("""
    import kserve

    async def words():
        for word in ("one ", "two "):
            yield word.encode()

    class Stream(kserve.Model):
        async def predict(self, payload, headers=None):
            return words()
    """)
    reply = await answer(program, Message("predict", {}, body={"instances": [1]}))
    assert reply.stream is not None
    assert [chunk async for chunk in reply.stream] == [b"one ", b"two "]


def test_a_model_that_never_gets_ready_does_not_load(load: Load) -> None:
    with pytest.raises(CannotLoad, match=r"never sets self\.ready"):
        load("import kserve\nclass Never(kserve.Model):\n def load(self): pass")


def python(tmp_path: Path, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of a pod's: its own interpreter, KServe's interface on PYTHONPATH."""
    (tmp_path / "program.py").write_text(program)
    paths = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("from kserve import KServeClient", "kserve.KServeClient is not part of Fairway's own kserve"),
        ("import kserve.ray", "kserve.ray is not part of Fairway's own kserve: install the real package"),
        ("import kserve; kserve.V1beta1Batcher", "kserve.V1beta1Batcher is not part of Fairway's own kserve"),
    ],
)
def test_what_is_not_there_names_the_way_out(tmp_path: Path, statement: str, sentence: str) -> None:
    ended = python(tmp_path, statement, FAIRWAY_KSERVE="own")
    assert ended.returncode == 1
    assert sentence in ended.stderr


def test_the_real_package_wins_where_it_is_installed(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "kserve"
    real.mkdir(parents=True)
    (real / "__init__.py").write_text("from .model import Model\nREAL = True")
    (real / "model.py").write_text("class Model: pass")
    program = (
        "import sys; sys.path.append('elsewhere')\nimport kserve, kserve.model\n"
        "print(kserve.REAL, kserve.model.Model is kserve.Model)"
    )
    assert python(tmp_path, program).stdout == "True True\n"
    own = "import sys; sys.path.append('elsewhere')\nimport kserve\nprint(hasattr(kserve, 'REAL'))"
    assert python(tmp_path, own, FAIRWAY_KSERVE="own").stdout == "False\n"


def test_both_names_of_a_module_are_one_module(tmp_path: Path) -> None:
    program = """
import kserve.errors, kserve.model
from kserve import Model
from fairway.serving.inpod.programs.kserve_api import errors
assert kserve.errors is errors and Model is kserve.model.Model
print("one")
"""
    assert python(tmp_path, program, FAIRWAY_KSERVE="own").stdout == "one\n"
