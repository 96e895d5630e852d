"""Warm sets: which imports an interpreter has done before a container is forked from it.

Data. A set is named by the pod's annotation `fairway.dev/warm`. Modules that are not installed are left out. A
module that a pod runs is run afresh in each pod, but for those of `calls`.

Forking an interpreter that has numpy in it is safe although OpenBLAS keeps threads: OpenBLAS registers a fork
handler that starts them again in the child. The shepherd itself never starts a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANNOTATION = "fairway.dev/warm"


@dataclass(frozen=True)
class WarmSet:
    imports: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """What must be set while importing: some packages decide at import what they are."""
    stand_in: str = ""
    """A larger set whose interpreter is used instead where it runs and ours does not: that saves its seconds."""
    calls: Mapping[str, str] = field(default_factory=dict)
    """Of modules that are imported: the function that is all they are as a main program. It takes the arguments and
    gives the exit status, and is called where the module would be run afresh."""


# What the standard library's share of nearly every step is, and of the in-pod modules.
_COMMON = (
    "argparse", "json", "pathlib", "shutil", "subprocess", "tempfile", "traceback", "typing", "urllib.parse",
    "urllib.request", "importlib.util", "inspect", "logging", "concurrent.futures", "csv", "datetime", "pickle",
)  # fmt: skip
_KFP = ("kfp", "kfp.dsl", "kfp.dsl.executor", "kfp.dsl.executor_main", "fairway.pipelines.inpod")
_SCIENCE = (
    "numpy", "numpy.random", "pandas", "joblib", "sklearn", "sklearn.datasets", "sklearn.ensemble",
    "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection", "sklearn.pipeline",
    "sklearn.preprocessing", "sklearn.svm", "sklearn.tree", "sklearn.neighbors",
)  # fmt: skip

_SIDECAR = (
    "asyncio", "csv", "orjson", "ssl", "fairway.serving.inpod.sidecar.program",
    "fairway.serving.graphs.router.program", "uvloop",
)  # fmt: skip
_SERVER = ("asyncio", "gzip", "fairway.serving.inpod.program", "fairway.serving.inpod.formats.sklearn", "uvloop")
_STEP = {"fairway.pipelines.inpod": "run"}
_KFP_RUNTIME = {"_KFP_RUNTIME": "true"}  # the SDK then leaves out its compiler and clients

SETS: Mapping[str, WarmSet] = {
    "python": WarmSet(_COMMON),
    "kfp": WarmSet((*_COMMON, *_KFP), _KFP_RUNTIME, calls=_STEP),
    "kfp-ml": WarmSet((*_COMMON, *_KFP, *_SCIENCE, *_SERVER), _KFP_RUNTIME, calls=_STEP),
    "sidecar": WarmSet((*_COMMON, *_SIDECAR)),
    "sklearn-server": WarmSet((*_COMMON, *_SCIENCE, *_SERVER), stand_in="kfp-ml"),
}

# Read by the interpreter or by libraries when they are loaded: in a warm interpreter it would be too late.
_READ_AT_START = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "MALLOC_", "CUDA_", "GLIBC_")
_HARMLESS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def can_take(env: Mapping[str, str]) -> bool:
    """Whether a warm interpreter can still honour a container's own variables."""
    return not any(name.startswith(_READ_AT_START) and name not in _HARMLESS for name in env)


def module_of(command: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """(module, arguments) of a command `python3 -m MODULE ARGUMENTS`, the only form that can be forked.

    >>> module_of(("python3", "-m", "a.b", "--x", "1"))
    ('a.b', ('--x', '1'))
    """
    if len(command) >= 3 and command[0] in ("python", "python3") and command[1] == "-m":
        return command[2], command[3:]
    return None
