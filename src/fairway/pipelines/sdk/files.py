"""Files that hold pipelines: compiled packages, and Python files with pipeline functions."""

from __future__ import annotations

import importlib.util
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fairway.pipelines.sdk.failures import NO_KFP, Failure, said

PACKAGES = (".yaml", ".yml", ".zip", ".tar.gz", ".tgz")


def pipeline_in(path: Path, name: str = "") -> Any:
    """What to submit for a file: a compiled package as it is, the pipeline function of a Python file otherwise.

    `name` chooses among several functions; without it one named `pipeline` is taken, or the only one.
    """
    if not path.is_file():
        raise Failure(f"{path} is not a file; give the path of a pipeline")
    if path.name.endswith(PACKAGES):
        return path
    if path.suffix != ".py":
        raise Failure(f"{path} is neither a Python file nor a compiled pipeline ({', '.join(PACKAGES)})")
    found = among(loaded(path))
    wanted = name or ("pipeline" if "pipeline" in found else next(iter(found)) if len(found) == 1 else "")
    if wanted in found:
        return found[wanted]
    if not found:
        raise Failure(f"{path} defines no pipeline; decorate a function with @dsl.pipeline")
    raise Failure(f"{path} defines the pipelines {', '.join(found)}; choose one by name")


def among(namespace: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """The pipeline functions among the names of a module or a notebook, in the order of the author's lines."""
    try:
        from kfp.dsl.graph_component import GraphComponent  # noqa: PLC0415 - an optional dependency
    except ImportError as missing:
        raise Failure(NO_KFP) from missing
    found = {name: value for name, value in namespace.items() if isinstance(value, GraphComponent)}
    return dict(sorted(found.items(), key=lambda item: item[1].pipeline_func.__code__.co_firstlineno))


def function_in(path: Path, name: str) -> Callable[..., Any]:
    """The function of a step in a Python file: of a component, or a plain one. Raises Failure."""
    for value in loaded(path).values():
        function: Callable[..., Any] = getattr(value, "python_func", value)
        if getattr(function, "__name__", "") == name and callable(function):
            return function
    raise Failure(f"{path} has no step with a function {name}")


def loaded(path: Path) -> dict[str, Any]:
    """The names of a Python file, once it has run. Raises Failure with the author's own line."""
    module_name = path.stem.replace("-", "_")
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise Failure(f"{path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))  # as `python pipeline.py` would have it
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*default base_image", category=FutureWarning)  # not our image
            spec.loader.exec_module(module)
    except SyntaxError as wrong:
        raise Failure(f"{wrong.filename}, line {wrong.lineno}: {wrong.msg}; correct it and run again") from wrong
    except (Exception, SystemExit) as wrong:
        raise Failure(f"{_place(wrong, path)}: {said(wrong)}; correct it and run again") from wrong
    finally:
        sys.path.pop(0)
    return vars(module)


def _place(wrong: BaseException, path: Path) -> str:
    """The author's own line that was being read when it went wrong."""
    lines = [frame.lineno for frame in traceback.extract_tb(wrong.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)
