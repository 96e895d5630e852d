"""A step in this very process, for `replaying`: kfp's executor on a Python step, or any other step's command.

The counterpart of `inpod`, for a person instead of a pod: exceptions are raised as they are, and a debugger may look.
"""

from __future__ import annotations

import bdb
import contextlib
import importlib.util
import os
import pdb
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from fairway.pipelines import collecting
from fairway.pipelines.collecting import BadOutput
from fairway.pipelines.placeholders import Scene, UnknownPlaceholder
from fairway.pipelines.sdk import files
from fairway.pipelines.sdk.failures import NO_KFP, Failure

_MODULE = "ephemeral_component"
"""kfp's own name for the file of a step."""


Substitute = Callable[..., Any] | Path | None
"""What is run in place of a step's own function: another one, or the one of the same name in a file."""


def perform(task: dict[str, Any], place: Path, *, debug: bool, stop: bool, function: Substitute) -> dict[str, Any]:
    """Run the step in the folder `place`, and give its outputs as `collecting` has them. Raises Failure, and whatever
    a Python step raises."""
    scene = Scene(task["executorInput"], defaults=task["defaults"], job=task["job"])
    try:
        own = None if not task["python"] and function is None else _function(task, scene, place, function)
        with _surroundings(place, task["env"]):
            if own is None:
                _run(scene.elements([*task["command"], *task["args"]]))
            else:
                _execute(task["executorInput"], own, debug=debug, stop=stop)
        return collecting.collect(task)
    except (BadOutput, UnknownPlaceholder) as wrong:
        raise Failure(str(wrong)) from wrong


@contextlib.contextmanager
def _surroundings(place: Path, env: Mapping[str, str]) -> Iterator[None]:
    """The step's variables and folder, and this very Python as `python3`; afterwards what was before."""
    before, folder = dict(os.environ), os.getcwd()
    os.environ["PATH"] = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ.update(env)
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def _function(task: Mapping[str, Any], scene: Scene, place: Path, substitute: Substitute) -> Callable[..., Any]:
    if callable(substitute):
        own: Callable[..., Any] = getattr(substitute, "python_func", substitute)
        return own
    args = scene.elements(task["args"])
    if not task["python"] or "--function_to_execute" not in args[:-1]:
        raise Failure("the step is a command and has no function; run it without a file")
    name = args[args.index("--function_to_execute") + 1]
    return files.function_in(substitute, name) if substitute else _from_source(task, place, name)


def _from_source(task: Mapping[str, Any], place: Path, name: str) -> Callable[..., Any]:
    """The step's function, from its source as a file: a debugger shows the lines of that."""
    file = place / f"{_MODULE}.py"
    file.write_text(task["source"] or task["command"][-1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as missing:
        raise Failure(_wanted(task, missing)) from missing
    function: Callable[..., Any] = getattr(module, name)
    return function


def _wanted(task: Mapping[str, Any], missing: ModuleNotFoundError) -> str:
    asked = " ".join(map(repr, task["requirements"])) or missing.name
    return f"the step needs {missing.name}, which is not installed here; run `pip install {asked}`"


def _execute(executor_input: dict[str, Any], function: Callable[..., Any], *, debug: bool, stop: bool) -> None:
    try:
        from kfp.dsl.executor import Executor  # noqa: PLC0415 - an optional dependency
    except ImportError as missing:
        raise Failure(NO_KFP) from missing
    executor = Executor(executor_input=executor_input, function_to_execute=function)
    before = sys.gettrace()
    if stop:
        sys.settrace(_stopping_in(function.__code__))
    try:
        executor.execute()
    except bdb.BdbQuit:
        raise Failure("left in the debugger, before the step was over") from None
    except Exception as failure:
        if debug:
            _look(failure, function.__code__)
        raise
    finally:
        sys.settrace(before)


def _stopping_in(code: CodeType) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that opens pdb at the first line of the function with this code."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is not code:
            return None
        pdb.Pdb().set_trace(frame)
        return frame.f_trace

    return trace


def _look(failure: Exception, code: CodeType) -> None:
    """The traceback from the author's own lines on, and pdb where it happened."""
    trace: TracebackType | None = failure.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    traceback.print_exception(type(failure), failure, trace or failure.__traceback__)
    pdb.post_mortem(trace or failure.__traceback__)


def _run(command: list[str]) -> None:
    if not command:
        raise Failure("the component has no command, and there is no image here whose own could be run")
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as problem:
        raise Failure(f"the command {command[0]!r} cannot be run: {problem.strerror}") from problem
    if status:
        raise Failure(f"the command ended with exit status {status}")
