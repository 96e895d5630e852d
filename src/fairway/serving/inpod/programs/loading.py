"""The choice of `load`: what was found, and which kind of program it becomes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.programs import asgi, finding, kserve, loops, plain, r


def load(format: str, name: str, location: Path, options: Mapping[str, str]) -> Any:
    """A Program, or what Speaks, loaded and ready. Raises CannotLoad."""
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
    if any(callable(getattr(thing, step, None)) for step in finding.STEPS):
        program = plain.of_object(thing, name)
    elif callable(thing):
        program = plain.of_function(thing, name)
    else:
        raise CannotLoad(f"{thing!r} is neither a class, a function nor an application.")
    program.load()
    return program


def _kserve(thing: Any, name: str, folder: Path) -> kserve.KServeProgram:
    model = plain.construct(thing, name, folder) if inspect.isclass(thing) else thing
    program = kserve.KServeProgram(model, loops.OwnLoop(name))
    if not program.ready:
        program.load()
    return program
