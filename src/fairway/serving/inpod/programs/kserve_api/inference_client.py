"""`kserve.inference_client`: both clients, each only where its package is installed."""

import importlib
from typing import Any

_ROOM = "fairway.serving.inpod.programs.kserve_api"
_WHERE = {"InferenceRESTClient": "rest_client", "RESTConfig": "rest_client", "InferenceGRPCClient": "grpc_client"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'kserve.inference_client' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{_ROOM}.{_WHERE[name]}"), name)
