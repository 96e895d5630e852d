"""A lightweight Python component, run in this very process: the source as a module, its function, what it gave.

`inpod` comes before (the task folder, the claim) and after (the outcome). A function that takes and gives parameters
of plain types is called here directly. Everything else (artifacts, named tuples, other types, a component compiled
with arguments of its own) goes to kfp's own executor, unmodified. Both ways mean the same; the first spares a short
step two thirds of its time. Standard library only; kfp is there because the author's source imports it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from types import FunctionType, ModuleType
from typing import Any

from fairway.pipelines.ir.values import text

MODULE = "ephemeral_component"
"""The name that the SDK gives the module; authors see it in tracebacks."""

_FORMAT = "[KFP Executor %(asctime)s %(levelname)s]: %(message)s"
"""How kfp's executor sets up the root logger, so that what an author logs is in the step's log."""

_PLAIN = (str, int, float, bool, dict, list)
_USUAL = ["--executor_input", "{{$}}", "--function_to_execute"]


def run(
    source: str,
    written: Sequence[str],
    arguments: Callable[[Sequence[str]], list[str]],
    executor_input: dict[str, Any],
    folder: str,
) -> dict[str, Any] | None:
    """What the function gave, as kfp's executor would tell it; None where that executor has told it itself.

    `written` is the component's command line as compiled, `arguments` replaces the placeholders in one. The source
    is left in `folder`, for tracebacks and for processes that the function starts.
    """
    path = f"{folder}/{MODULE}.py"
    _write(path, source)
    usual = list(written[:-1]) == _USUAL
    given = [_USUAL[0], text(executor_input), _USUAL[2], written[-1]] if usual else arguments(written)
    sys.argv = ["executor_main", "--component_module_path", path, *given]
    _lead_to_copies(executor_input)
    if usual:
        logging.basicConfig(stream=sys.stdout, format=_FORMAT, level=logging.INFO)
        module = _module(source, path)
        function = getattr(module, written[-1])
        if _is_plain(function, executor_input):
            return _called(function, executor_input)
        _kfp("executor").Executor(executor_input=executor_input, function_to_execute=function).execute()
    else:
        _kfp("executor_main").executor_main()
    return None


def _write(path: str, source: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, source.encode())
    finally:
        os.close(descriptor)


def _module(source: str, path: str) -> ModuleType:
    """As kfp loads it, without a look for compiled code, and without leaving any."""
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    code = compile(source, path, "exec", dont_inherit=True)
    sys.modules[MODULE] = module
    sys.path.insert(0, os.path.dirname(path))
    exec(code, module.__dict__)  # noqa: S102 - this is what the step is
    return module


def _is_plain(function: Any, executor_input: dict[str, Any]) -> bool:
    """Whether nothing that it takes or gives needs more than being handed over."""
    if type(function) is not FunctionType or function.__dict__:  # what decorators leave: __wrapped__, python_func
        return False
    if "artifacts" in executor_input.get("inputs", {}) or "artifacts" in executor_input["outputs"]:
        return False
    return "CLUSTER_SPEC" not in os.environ and all(type_ in _PLAIN for type_ in function.__annotations__.values())


def _lead_to_copies(executor_input: dict[str, Any]) -> None:
    """kfp makes the path of an artifact from its address alone; those that have a copy here are read there."""
    sides = (executor_input.get("inputs", {}), executor_input["outputs"])
    items = [item for side in sides for entry in side.get("artifacts", {}).values() for item in entry["artifacts"]]
    copies = {item["uri"]: item["customPath"] for item in items if item.get("customPath")}
    if not copies:
        return
    artifact = _kfp("types.artifact_types").Artifact
    by_address = artifact._get_path

    def path(self: Any) -> Any:
        copy = None if self.custom_path else copies.get(self.uri)
        return copy or by_address(self)

    artifact._get_path = path


def _called(function: FunctionType, executor_input: dict[str, Any]) -> dict[str, Any]:
    values = executor_input.get("inputs", {}).get("parameterValues", {})
    types = function.__annotations__
    _kfp("types.artifact_types").CONTAINER_TASK_ROOT = os.path.dirname(executor_input["outputs"]["outputFile"])
    result = function(**{key: values[key] for key in types if key != "return" and values.get(key) is not None})
    if result is None:
        return {}
    declared = types.get("return")
    if type(result) is not declared:  # a subclass, an integer for a float, or nothing that fits: kfp says which
        executor = _kfp("executor").Executor(executor_input=executor_input, function_to_execute=function)
        executor.write_executor_output(result)
    # Through JSON, as it is written: keys become texts, tuples lists, and what cannot be written fails here.
    return {"parameterValues": {"Output": json.loads(json.dumps(result))}}


def _kfp(name: str) -> Any:
    return importlib.import_module(f"kfp.dsl.{name}")
