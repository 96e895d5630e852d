"""Which module of KServe is which of ours, and the sentence for what is not here.

`site/kserve` asks this. A module of KServe's that is in no line here is refused with a sentence that names the way
out: the real package, installed in the program's environment, is used instead of this one.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ROOM = "fairway.serving.inpod.programs.kserve_api"

MODULES: dict[str, str] = {
    "kserve.constants.constants": "constants",
    "kserve.context": "context",
    "kserve.errors": "errors",
    "kserve.inference_client": "inference_client",
    "kserve.logging": "logs",
    "kserve.model": "model_module",
    "kserve.model_repository": "repository",
    "kserve.model_server": "server",
    "kserve.predictor_config": "predictor",
    "kserve.protocol.dataplane": "dataplane",
    "kserve.protocol.grpc.grpc_predict_v2_pb2": "wire",
    "kserve.protocol.grpc.servicer": "servicer",
    "kserve.protocol.infer_type": "infer_type",
    "kserve.protocol.model_repository_extension": "repository",
    "kserve.protocol.rest.server": "web_application",
    "kserve.protocol.rest.v2_datamodels": "rest_documents",
    "kserve.utils.inference_client_factory": "rest_client",
    "kserve.utils.numpy_codec": "datatypes",
    "kserve.utils.utils": "payloads",
}
PACKAGES = (
    "kserve.constants",
    "kserve.protocol",
    "kserve.protocol.grpc",
    "kserve.protocol.rest",
    "kserve.utils",
)
TOP: dict[str, str] = {
    "InferInput": "infer_tensors",
    "InferOutput": "infer_tensors",
    "InferRequest": "infer_messages",
    "InferResponse": "infer_messages",
    "InferenceGRPCClient": "grpc_client",
    "InferenceRESTClient": "rest_client",
    "Model": "model",
    "ModelRepository": "repository",
    "ModelServer": "server",
    "PredictorConfig": "predictor",
    "RESTConfig": "rest_client",
}
"""Names of the package itself."""


def missing(name: str) -> str:
    return (
        f"{name} is not part of Fairway's own kserve: install the real package (pip install kserve) in the environment"
        " of this program, and it is used instead."
    )


def top(name: str) -> Any:
    """An attribute of the package `kserve`. Raises AttributeError with the sentence."""
    if name in TOP:
        return getattr(importlib.import_module(f"{_ROOM}.{TOP[name]}"), name)
    if f"kserve.{name}" in MODULES or f"kserve.{name}" in PACKAGES:
        return importlib.import_module(f"kserve.{name}")
    raise AttributeError(missing(f"kserve.{name}"))


class Finder(MetaPathFinder, Loader):
    """Gives our modules KServe's names: one module object under both, so that a class is one class."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith("kserve."):
            return None
        if name not in MODULES and name not in PACKAGES:
            raise ImportError(missing(name), name=name)  # a ModuleNotFoundError would be swallowed by `from`
        return ModuleSpec(name, self, is_package=name in PACKAGES)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.name in PACKAGES:
            return None
        module = importlib.import_module(f"{_ROOM}.{MODULES[spec.name]}")
        self._own_specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module has run already, under its own name; it keeps its own spec."""
        alias = getattr(module.__spec__, "name", "")
        if own := self._own_specs.pop(alias, None):
            module.__spec__ = own

    def __init__(self) -> None:
        self._own_specs: dict[str, ModuleSpec | None] = {}


def install() -> None:
    """Put the finder before the others, once."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
