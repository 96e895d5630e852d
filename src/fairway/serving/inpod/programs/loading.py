"""The choice of `load`: what was found, and which kind of program it becomes."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fairway.serving.inpod import openai
from fairway.serving.inpod.formats import detecting
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.programs import asgi, finding, kserve, loops, plain, r

PROGRAMS = (".py", ".r", ".rds")


def takes(format: str, location: Path, options: Mapping[str, str]) -> bool:
    if format == "huggingface":
        return _has_endpoints(location, options)
    if format:
        return False
    try:
        return detecting.format_of(location) == "huggingface" and _has_endpoints(location, options)
    except CannotLoad:
        files = [location] if location.is_file() else [path for path in location.glob("*") if path.is_file()]
        return any(file.suffix.lower() in PROGRAMS for file in files)


def load(format: str, name: str, location: Path, options: Mapping[str, str]) -> Any:
    """A Program, or what Speaks, loaded and ready. Raises CannotLoad."""
    if format == "huggingface" or (not format and (location / "config.json").is_file()):
        return openai.load(name, location, options)
    found = finding.find(location, options.get("FAIRWAY_PROGRAM", ""))
    if found.script is not None:
        return r.RProgram(found.script, options)
    thing = found.thing
    if finding.is_kserve(thing):
        return _kserve(thing, name, found.folder)
    if finding.is_asgi(thing):
        return asgi.load(thing, name)
    if inspect.isclass(thing):
        thing = plain.construct(thing, name, found.folder)
    if inspect.isfunction(thing):
        if thing.__name__ in finding.OPENAI_STEPS:
            thing = SimpleNamespace(**{thing.__name__: thing})
        else:
            return plain.of_function(thing, name)
    return _object(thing, name, options)


def _object(thing: Any, name: str, options: Mapping[str, str]) -> Any:
    predicts = any(callable(getattr(thing, step, None)) for step in ("predict", "explain"))
    generates = any(callable(getattr(thing, step, None)) for step in finding.OPENAI_STEPS)
    if not predicts and not generates:
        raise CannotLoad(f"{thing!r} is neither a class, a function nor an application.")
    program = plain.of_object(thing, name)
    program.load()
    if not generates:
        return program
    endpoints = importlib.import_module("fairway.serving.inpod.openai.own_code").endpoints(thing, name, options)
    return Both(program, endpoints) if predicts else endpoints


class Both:
    """A program of V1 and V2 that has OpenAI's endpoints too."""

    limits_itself = True

    def __init__(self, program: plain.PlainProgram, endpoints: Any) -> None:
        self._program, self._endpoints = program, endpoints
        self.signature, self.asynchronous = program.signature, program.asynchronous
        self.paths: tuple[str, ...] = endpoints.paths
        self.answer, self.speak = program.answer, endpoints.speak

    def close(self) -> None:
        self._program.close()
        self._endpoints.close()


def _has_endpoints(location: Path, options: Mapping[str, str]) -> bool:
    return bool(importlib.import_module("fairway.serving.inpod.openai.loading").takes(location, options))


def _kserve(thing: Any, name: str, folder: Path) -> kserve.KServeProgram:
    model = plain.construct(thing, name, folder) if inspect.isclass(thing) else thing
    program = kserve.KServeProgram(model, loops.OwnLoop(name))
    if not program.ready:
        program.load()
    return program
