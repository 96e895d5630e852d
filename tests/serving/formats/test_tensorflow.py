"""TensorFlow: a SavedModel's signature, where tensorflow is installed; and what is said where it is not."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from fairway.serving.inpod import formats
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Tensor

from .asking import arrays


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_saved_model_is_asked_by_its_default_signature(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="tensorflow is not installed")

    class Line(tensorflow.Module):
        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 2], tensorflow.float32, name="rows")])
        def serve(self, rows):
            return {"sum": tensorflow.reduce_sum(rows, axis=1), "twice": rows * 2}

    made = Line()
    tensorflow.saved_model.save(made, str(tmp_path / "3"), signatures={"serving_default": made.serve})
    model = formats.load("", "m", tmp_path, {})
    assert model.signature.inputs == (Tensor("rows", "FP32", (-1, 2)),)
    assert model.signature.outputs == (Tensor("sum", "FP32", (-1,)), Tensor("twice", "FP32", (-1, 2)))
    answer = arrays(model, x=[[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(answer["sum"], [3, 7])
    with pytest.raises(Refusal, match=r"wants rows in shape \[-1, 2\], not \[1, 1\]"):
        arrays(model, x=[[1.0]])
    tensorflow.saved_model.save(made, str(tmp_path / "4"), signatures={})
    with pytest.raises(CannotLoad, match=r"no signature serving_default \(it has: none\)"):
        formats.load("tensorflow", "m", tmp_path, {})


def test_what_cannot_load_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad, match=r"has no saved_model\.pb"):
        formats.load("tensorflow", "m", tmp_path, {})
    if importlib.util.find_spec("tensorflow"):
        pytest.skip("tensorflow is installed")
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(CannotLoad, match=r"tensorflow, which is not installed here; install it with: pip install tens"):
        formats.load("", "m", tmp_path, {})
