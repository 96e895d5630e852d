"""TensorFlow SavedModels, by the signature `serving_default`, where tensorflow is installed beside us.

It is no extra of ours: it wants a protobuf of its own and hundreds of megabytes. Whoever has a model of it elsewhere is
better off with ONNX (tf2onnx). Importing tensorflow takes seconds and some 500 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairway.serving.inpod import tensors
from fairway.serving.inpod.formats import arguments, failures, files, settings
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

_DEFAULT = "serving_default"


@dataclass(frozen=True, slots=True)
class SavedModel:
    """`function` is the signature; `loaded` keeps its variables alive."""

    name: str
    tensorflow: Any
    loaded: Any
    function: Any
    signature: Signature
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        given = arguments.match(inputs, self.signature.inputs, self.name)
        errors = self.tensorflow.errors
        with failures.predicting(self.name, input_errors=(ValueError, TypeError, errors.InvalidArgumentError)):
            answer = self.function(**{name: self.tensorflow.constant(array) for name, array in given.items()})
            return {tensor.name: np.asarray(answer[tensor.name].numpy()) for tensor in self.signature.outputs}

    def close(self) -> None:
        """The model goes with its last user."""


def load(name: str, location: Path, options: Mapping[str, str]) -> SavedModel:
    folder = files.newest(location if location.is_dir() else location.parent)
    if not (folder / "saved_model.pb").is_file():
        raise CannotLoad(f"{folder} has no saved_model.pb; save the model there with tf.saved_model.save().")
    tensorflow = failures.package("tensorflow", extra="", wanted_for="A TensorFlow model")
    with suppress(RuntimeError):  # set once for the process, by its first model
        tensorflow.config.threading.set_intra_op_parallelism_threads(settings.threads(options))
    with failures.loading(folder, f"a SavedModel that tensorflow {tensorflow.__version__} can load", "Save it again."):
        loaded = tensorflow.saved_model.load(str(folder))
    if _DEFAULT not in loaded.signatures:
        known = ", ".join(loaded.signatures) or "none"
        raise CannotLoad(f"{folder} has no signature {_DEFAULT} (it has: {known}); save the model with one.")
    function = loaded.signatures[_DEFAULT]
    inputs = _declared(function.structured_input_signature[1], folder)
    outputs = _declared(function.structured_outputs, folder)
    batches = all(tensor.shape[:1] == (-1,) for tensor in (*inputs, *outputs))
    return SavedModel(
        name, tensorflow, loaded, function, Signature("tensorflow_savedmodel", inputs, outputs, (), batches)
    )


def _declared(specs: Mapping[str, Any], folder: Path) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, _datatype(spec, folder), _shape(spec)) for name, spec in sorted(specs.items()))


def _datatype(spec: Any, folder: Path) -> str:
    if spec.dtype.name == "bfloat16":
        raise CannotLoad(f"{folder} takes or gives bfloat16, which JSON and numpy do not have; save it with float32.")
    return "BYTES" if spec.dtype.name == "string" else tensors.name_of(np.dtype(spec.dtype.as_numpy_dtype))


def _shape(spec: Any) -> tuple[int, ...]:
    if spec.shape.rank is None:
        return (-1,)
    return tuple(-1 if size is None else int(size) for size in spec.shape)
