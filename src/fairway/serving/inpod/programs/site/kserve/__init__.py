"""`import kserve`, for programs that were written for KServe: the real package where it is installed, or else ours.

The folder above stands on PYTHONPATH of pods. With FAIRWAY_KSERVE=own, ours is taken even beside the real one. Where
the real one is, nothing of ours needs to be.
"""

import importlib
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parents[1]


def _real() -> Any:
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() != _HERE]
    spec = None if os.environ.get("FAIRWAY_KSERVE") == "own" else PathFinder.find_spec("kserve", elsewhere)
    return spec if spec is not None and spec.origin is not None else None


_spec = _real()
if _spec is not None:
    _module = sys.modules[__name__]
    _module.__spec__, _module.__path__, _module.__file__ = _spec, _spec.submodule_search_locations, _spec.origin
    _spec.loader.exec_module(_module)
else:
    _names = importlib.import_module("fairway.serving.inpod.programs.kserve_api.names")
    _names.install()

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _names.top(name)
