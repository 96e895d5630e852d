"""PyTorch models: torch.export programs (.pt2), TorchScript (.pt, .pth), and weights beside the class that wants them.

An exported program says the names, types and shapes of its inputs; TorchScript says names only, so its numbers are
tried as they were sent and then as floats. A pickled module is not loaded: it would be code from a file, where the
safe forms are as easy to save. Importing torch takes about 1.2 s and 230 MB.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairway.serving.inpod import tensors
from fairway.serving.inpod.formats import arguments, failures, files, settings, torch_class
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

SUFFIXES = (".pt", ".pth", ".pt2")
_HOW = "save the model there with torch.export.save(), with torch.jit.save(), or its state_dict() beside its class."


@dataclass(frozen=True, slots=True)
class TorchModel:
    """`exact`: the signature has the real types and shapes."""

    name: str
    torch: Any
    module: Any
    signature: Signature
    device: str
    exact: bool
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        arrays = self._arguments(inputs)
        with self._translated(), self.torch.inference_mode():
            result = self._call(arrays)
        return self._named(result)

    def close(self) -> None:
        """The module goes with its last user."""

    def _arguments(self, inputs: Inputs) -> list[Array]:
        declared = self.signature.inputs
        if self.exact:
            return list(arguments.match(inputs, declared, self.name).values())
        free = [Tensor(tensor.name, tensor.datatype, ()) for tensor in declared]
        given = arguments.named(inputs, free, self.name)
        if wrong := [name for name, array in given.items() if array.dtype.kind not in "biuf"]:
            raise Refusal(400, f"The model {self.name} takes numbers, and {wrong[0]} has something else.")
        return [_floats(array) if array.dtype == np.float64 else array for array in given.values()]

    def _call(self, arrays: Sequence[Array]) -> Any:
        try:
            return self.module(*map(self._tensor, arrays))
        except RuntimeError:
            if self.exact or not any(array.dtype.kind in "iu" for array in arrays):
                raise
        # JSON has one kind of number: [1, 2] may be meant as 1.0 and 2.0.
        return self.module(*(self._tensor(_floats(array)) for array in arrays))

    def _tensor(self, array: Array) -> Any:
        return self.torch.from_numpy(np.array(array)).to(self.device)  # a copy: what came off the wire is read-only

    def _named(self, result: Any) -> dict[str, Array]:
        named = result if isinstance(result, Mapping) else dict(enumerate(result)) if _several(result) else {0: result}
        if not all(isinstance(value, self.torch.Tensor) for value in named.values()):
            raise Refusal(500, f"The model {self.name} gave something other than tensors.")
        names = [output.name for output in self.signature.outputs]
        return {
            key if isinstance(key, str) else names[key] if key < len(names) else f"output-{key}": _plain(value)
            for key, value in named.items()
        }

    def _translated(self) -> Any:
        return failures.predicting(self.name, input_errors=(ValueError, TypeError, RuntimeError))


def load(name: str, location: Path, options: Mapping[str, str]) -> TorchModel:
    torch = failures.package("torch", extra="torch", wanted_for="A PyTorch model")
    if archives := sorted(location.rglob("*.mar")):
        raise CannotLoad(
            f"{archives[0]} is an archive of TorchServe, whose handlers are programs for TorchServe; unpack it, {_HOW}"
        )
    path = files.one(location, SUFFIXES, advice=_HOW)
    torch.set_num_threads(settings.threads(options))
    device = settings.text(options, "device", "cuda" if torch.cuda.is_available() else "cpu")
    kind = _kind(path)
    with warnings.catch_warnings(), failures.loading(path, f"a model that torch {torch.__version__} can load", _HOW):
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself: it is what people have
        if kind == "exported":
            program = torch.export.load(str(path))
            signature = _exported_signature(program, path)
            return TorchModel(name, torch, program.module().to(device), signature, device, exact=True)
        if kind == "scripted":
            module = torch.jit.load(str(path), map_location=device).eval()
            return TorchModel(name, torch, module, _scripted_signature(module), device, exact=False)
    module = torch_class.load(torch, path, settings.text(options, "model_class_name")).to(device)
    return TorchModel(name, torch, module, torch_class.signature(module), device, exact=False)


def _kind(path: Path) -> str:
    """exported, scripted, or weights: the three have their marks in the archive that each of them is."""
    if not zipfile.is_zipfile(path):
        return "weights"
    with zipfile.ZipFile(path) as archive:
        names = {entry.rpartition("/")[2] for entry in archive.namelist()}
    if "archive_format" in names:
        return "exported"
    return "scripted" if "constants.pkl" in names else "weights"


def _exported_signature(program: Any, path: Path) -> Signature:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    asked = program.graph_signature
    inputs = tuple(_declared(one, values.get(one), path) for one in asked.user_inputs)
    outputs = tuple(
        Tensor(f"output-{number}", *_type_and_shape(values.get(one), path))
        for number, one in enumerate(asked.user_outputs)
    )
    batches = all(tensor.shape[:1] == (-1,) for tensor in (*inputs, *outputs))
    return Signature("pytorch", inputs, outputs, batches=batches)


def _declared(name: str, value: Any, path: Path) -> Tensor:
    return Tensor(name, *_type_and_shape(value, path))


def _type_and_shape(value: Any, path: Path) -> tuple[str, tuple[int, ...]]:
    """A size that is not a plain number is one that the exporter left open."""
    if not hasattr(value, "dtype"):
        raise CannotLoad(f"{path} takes or gives something other than tensors; export a module of tensors alone.")
    name = str(value.dtype).removeprefix("torch.")
    if name == "bfloat16":
        raise CannotLoad(f"{path} takes or gives bfloat16, which JSON and numpy do not have; export it with float32.")
    return tensors.name_of(np.dtype(name)), tuple(size if type(size) is int else -1 for size in value.shape)


def _scripted_signature(module: Any) -> Signature:
    schema = module.forward.schema
    inputs = tuple(Tensor(one.name, "FP32", (-1,)) for one in schema.arguments[1:] if not one.has_default_value())
    return Signature("pytorch", inputs, (Tensor("output-0", "FP32", (-1,)),))


def _several(result: Any) -> bool:
    return isinstance(result, Sequence) and not isinstance(result, str)


def _plain(tensor: Any) -> Array:
    tensor = tensor.detach().cpu()
    return np.asarray((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())


def _floats(array: Array) -> Array:
    return array.astype(np.float32)
