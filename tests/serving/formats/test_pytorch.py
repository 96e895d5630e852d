"""PyTorch: exported programs, TorchScript, and weights beside their class."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod.formats import pytorch
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Tensor
from fairway.serving.inpod.places import Places

from .asking import arrays

torch = pytest.importorskip("torch", reason="torch is not installed")

ROWS = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0]])

CLASS = """
import torch

class Twice(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = torch.nn.Linear(width, 2)

    def forward(self, rows):
        return self.layer(rows) * 2
"""


class Two(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, rows: torch.Tensor, scale: torch.Tensor) -> Any:
        return self.layer(rows) * scale, rows.sum(dim=1)


def test_an_exported_program_declares_its_tensors_and_is_held_to_them(tmp_path: Path) -> None:
    module = Two().eval()
    batch = torch.export.Dim("batch")
    sizes = {"rows": {0: batch}, "scale": {0: batch}}
    program = torch.export.export(module, (torch.zeros(2, 4), torch.ones(2, 1)), dynamic_shapes=sizes)
    torch.export.save(program, tmp_path / "model.pt2")

    model = pytorch.load("m", tmp_path, {})
    assert model.signature.inputs == (Tensor("rows", "FP32", (-1, 4)), Tensor("scale", "FP32", (-1, 1)))
    assert model.signature.outputs == (Tensor("output-0", "FP32", (-1, 3)), Tensor("output-1", "FP32", (-1,)))
    assert model.signature.batches
    answer = arrays(model, scale=[[1], [0]], rows=ROWS)
    with torch.no_grad():
        expected = module(torch.tensor(ROWS, dtype=torch.float32), torch.tensor([[1.0], [0.0]]))
    np.testing.assert_allclose(answer["output-0"], expected[0].numpy(), rtol=1e-5)
    np.testing.assert_allclose(answer["output-1"], [10, 1])

    with pytest.raises(Refusal, match=r"wants rows in shape \[-1, 4\], not \[1, 2\]"):
        arrays(model, rows=[[1.0, 2.0]], scale=[[1.0]])
    with pytest.raises(Refusal, match="has the inputs rows, scale; scale is missing and sale is not one"):
        arrays(model, rows=ROWS, sale=[[1.0]])


@pytest.mark.parametrize("how", ["script", "trace"])
def test_torchscript_takes_numbers_as_json_has_them(tmp_path: Path, how: str) -> None:
    module = torch.nn.Linear(4, 3).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(module) if how == "script" else torch.jit.trace(module, torch.zeros(1, 4))
        scripted.save(tmp_path / "model.pt")
    model = pytorch.load("m", tmp_path / "model.pt", {"nthread": "2"})
    assert [tensor.name for tensor in model.signature.inputs] == ["input"]
    with torch.no_grad():
        expected = module(torch.tensor(ROWS, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(arrays(model, anything=ROWS)["output-0"], expected, rtol=1e-5)
    np.testing.assert_allclose(arrays(model, input=ROWS.astype(int))["output-0"], expected, rtol=1e-5)
    with pytest.raises(Refusal, match=r"does not take this input: .*cannot be multiplied"):
        arrays(model, input=[[1.0]])
    with pytest.raises(Refusal, match="takes numbers"):
        arrays(model, input=np.array([["a"]], dtype=object))


def test_whole_numbers_stay_whole_where_the_model_wants_them(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Embedding(5, 2)).save(tmp_path / "model.pt")
    assert arrays(pytorch.load("m", tmp_path, {}), input=[[1, 2]])["output-0"].shape == (1, 2, 2)


def test_weights_find_their_class_beside_them(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CLASS)
    torch.save({"layer.weight": torch.ones(2, 4), "layer.bias": torch.zeros(2)}, tmp_path / "model.pt")
    model = pytorch.load("m", tmp_path, {})
    assert model.signature.inputs == (Tensor("rows", "FP32", (-1,)),)
    np.testing.assert_allclose(arrays(model, x=ROWS)["output-0"], [[20, 20], [2, 2]])
    with pytest.raises(CannotLoad, match=r"no torch.nn.Module called Thrice \(it has: Twice\); set MODEL_CLASS_NAME"):
        pytorch.load("m", tmp_path, {"MODEL_CLASS_NAME": "Thrice"})


def test_what_cannot_load_says_what_to_do(tmp_path: Path) -> None:
    def sentence(folder: str) -> str:
        with pytest.raises(CannotLoad) as raised:
            pytorch.load("m", tmp_path / folder, {})
        return str(raised.value)

    for folder in ("pickled", "bare", "garbage", "wrong", "broken"):
        (tmp_path / folder).mkdir()
    torch.save(torch.nn.Linear(1, 1), tmp_path / "pickled" / "model.pt")
    torch.save({"weight": torch.ones(1, 1)}, tmp_path / "bare" / "model.pth")
    (tmp_path / "garbage" / "model.pt").write_text("no model")
    torch.save({"other": torch.ones(1)}, tmp_path / "wrong" / "model.pt")
    (tmp_path / "wrong" / "net.py").write_text(CLASS)
    torch.save({"layer.weight": torch.ones(2, 4)}, tmp_path / "broken" / "model.pt")
    (tmp_path / "broken" / "net.py").write_text("import a_module_of_yours")

    assert "or plain weights; a pickled module is code, and is not loaded here. Save the" in sentence("pickled")
    assert "put the file there that defines the class" in sentence("bare")
    assert "is not TorchScript" in sentence("garbage")
    assert "is not the weights of Twice in net.py" in sentence("wrong")
    assert "needs the Python module 'a_module_of_yours'" in sentence("broken")
    (tmp_path / "store" / "model-store").mkdir(parents=True)
    (tmp_path / "store" / "model-store" / "mnist.mar").touch()
    assert "mnist.mar is an archive of TorchServe" in sentence("store")
    (tmp_path / "store" / "config").mkdir()
    assert not Places(tmp_path / "store").is_repository()
