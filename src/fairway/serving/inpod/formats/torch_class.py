"""Weights of PyTorch beside the Python file with their class, as KServe's first PyTorch server and TorchServe had it.

The file is code and runs here, in the pod, as the user's own. The weights are read without running anything.
"""

from __future__ import annotations

import importlib.util
import inspect
import pickle  # its error alone
from pathlib import Path
from typing import Any

from fairway.serving.inpod.formats import failures, files
from fairway.serving.inpod.model import CannotLoad, Signature, Tensor

DEFAULT_CLASS = "PyTorchModel"


def load(torch: Any, path: Path, class_name: str) -> Any:
    """The module of the class, with the weights in it. `class_name` may be empty where the file has one class."""
    weights = _weights(torch, path)
    source = files.one(path.parent, (".py",), advice="put the file there that defines the class of these weights.")
    module = _made(_class(torch, source, class_name), source)
    with failures.loading(path, f"the weights of {type(module).__name__} in {source.name}", "Save its state_dict()."):
        module.load_state_dict(weights)
    return module.eval()


def signature(module: Any) -> Signature:
    parameters = inspect.signature(module.forward).parameters.values()
    wanted = [one for one in parameters if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    inputs = tuple(Tensor(one.name, "FP32", (-1,)) for one in wanted)
    return Signature("pytorch", inputs, (Tensor("output-0", "FP32", (-1,)),))


def _weights(torch: Any, path: Path) -> Any:
    advice = "Save the module with torch.export.save(), or its state_dict() beside the file of its class."
    with failures.loading(path, "TorchScript, an exported program, or plain weights", advice):
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # torch's own words are how to run what is in the file
            raise CannotLoad(
                f"{path} is not TorchScript, an exported program, or plain weights; a pickled module is code, and is "
                f"not loaded here. {advice}"
            ) from None
    if isinstance(weights, dict) and isinstance(weights.get("state_dict"), dict):
        weights = weights["state_dict"]  # a checkpoint of a training run
    if not isinstance(weights, dict):
        raise CannotLoad(f"{path} holds a {type(weights).__name__} and not a state_dict(). {advice}")
    return weights


def _class(torch: Any, source: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(source.stem, source)
    if spec is None or spec.loader is None:
        raise CannotLoad(f"{source} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    with failures.loading(source, "Python that runs here", "Mend it, and deploy it again."):
        spec.loader.exec_module(module)
    classes = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == source.stem
    }
    wanted = name or (next(iter(classes)) if len(classes) == 1 else DEFAULT_CLASS)
    if wanted not in classes:
        found = ", ".join(classes) or "none"
        raise CannotLoad(
            f"{source} has no torch.nn.Module called {wanted} (it has: {found}); set MODEL_CLASS_NAME to its name."
        )
    return classes[wanted]


def _made(kind: Any, source: Path) -> Any:
    with failures.loading(
        source, f"a file whose {kind.__name__}() can be made without arguments", "Give them defaults."
    ):
        return kind()
