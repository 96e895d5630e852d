"""What goes wrong inside other people's libraries, said in one sentence. Every loader goes through here.

A package that is not installed, a file that it cannot read, an input that it does not take: libraries raise what they
like, and whoever deployed the model or sent the request must read what to do.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad

PROJECT = "fairway"


def package(module: str, *, extra: str, wanted_for: str) -> Any:
    """The module, imported. Loaders import theirs here, because each is there only where somebody wants it.

    `extra` is the one of this project that brings it; empty: there is none.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        top = module.partition(".")[0]
        if isinstance(missing, ModuleNotFoundError) and (missing.name or "").partition(".")[0] == top:
            how = f"'{PROJECT}[{extra}]'" if extra else top
            raise CannotLoad(
                f"{wanted_for} needs the Python package {top}, which is not installed here; "
                f"install it with: pip install {how}."
            ) from missing
        raise CannotLoad(
            f"{wanted_for} needs the Python package {top}, which does not import here: {one_line(missing)}"
        ) from missing


@contextmanager
def loading(path: Path, what: str, advice: str) -> Iterator[None]:
    """`what` the file should be, and the advice for where it is not."""
    try:
        yield
    except CannotLoad:
        raise
    except ModuleNotFoundError as missing:
        raise CannotLoad(f"{path} needs the Python module {missing.name!r}, which is not installed here.") from missing
    except MemoryError as full:
        raise CannotLoad(f"{path} does not fit into memory; raise the predictor's memory limit.") from full
    except Exception as broken:  # libraries raise anything
        text = f"{type(broken).__name__}: {one_line(broken)}"
        raise CannotLoad(f"{path} is not {what} ({text}). {advice}") from broken


@contextmanager
def predicting(name: str, *, input_errors: tuple[type[Exception], ...] = (ValueError, TypeError)) -> Iterator[None]:
    """`input_errors` are what this library raises where the input does not fit; all else is the model's own failure."""
    try:
        yield
    except Refusal:
        raise
    except input_errors as wrong:
        raise Refusal(400, f"The model {name} does not take this input: {one_line(wrong)}") from wrong
    except Exception as broken:
        kind = type(broken).__name__
        raise Refusal(500, f"The model {name} failed: {kind}: {one_line(broken)}") from broken


def one_line(error: BaseException, most: int = 400) -> str:
    """Where a library put a whole traceback into its message, the last line says it; a stack of C++ says nothing."""
    lines = str(error).partition("Stack trace:")[0].strip().splitlines() or [type(error).__name__]
    if any(line.startswith("Traceback") for line in lines):
        lines = lines[-1:]
    text = " ".join(line.strip() for line in lines)
    return text if len(text) <= most else text[: most - 1] + "…"
