"""From a file or folder to the thing in it that is to be served: a class, a function, an application, an R script.

It imports the user's module, so it runs in the process that serves, and nowhere else.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.programs import SITE, failures

PREFERRED = ("model", "predict", "main", "app", "server")
OPENAI_STEPS = ("chat", "generate", "embed", "rerank")
STEPS = ("predict", *OPENAI_STEPS, "explain")
"""One of these makes a class a program."""


@dataclass(frozen=True)
class Found:
    """`folder` is where the program's own files are. Exactly one of `thing` and `script` is there."""

    folder: Path
    thing: Any = None
    script: Path | None = None


def find(location: Path, wanted: str) -> Found:
    """`wanted` is what FAIRWAY_PROGRAM says, empty where it says nothing. Raises CannotLoad."""
    if not location.exists():
        raise CannotLoad(f"There is no program at {location}.")
    folder = location if location.is_dir() else location.parent
    where, _, name = wanted.partition(":")
    file = _file(location, folder, where)
    if file is not None and file.suffix.lower() in (".r", ".rds"):
        return Found(folder, script=file)
    module = _import_file(file, folder) if file is not None else _import_module(where, folder)
    return Found(folder, _named(module, name) if name else _only(module))


def is_asgi(thing: Any) -> bool:
    """An application: a coroutine of scope, receive and send, or an object that is called like one."""
    call = thing if inspect.isfunction(thing) else getattr(type(thing), "__call__", None)  # noqa: B004
    if inspect.isclass(thing) or call is None or not inspect.iscoroutinefunction(call):
        return False
    if call is not thing:
        call = thing.__call__
    names = list(inspect.signature(call).parameters)
    return names[:3] == ["scope", "receive", "send"]


def is_kserve(thing: Any) -> bool:
    """A class or object of KServe's Model, by the name of its base, since the base may be ours or the real one."""
    kind = thing if inspect.isclass(thing) else type(thing)
    return any(base.__name__ == "BaseKServeModel" for base in kind.__mro__)


def _file(location: Path, folder: Path, where: str) -> Path | None:
    """None where `where` names a module that is to be imported by its dotted name."""
    if location.is_file() and not where:
        return location
    if where.endswith((".py", ".R", ".r", ".rds", ".RDS")):
        file = folder / where
        if not file.is_file():
            raise CannotLoad(f"FAIRWAY_PROGRAM names {where}, and {folder} has no such file.")
        return file
    if where:
        return None
    return _the_file(folder)


def _the_file(folder: Path) -> Path:
    for suffix in (".py", ".R", ".r", ".rds", ".RDS"):
        files = sorted(path for path in folder.glob(f"*{suffix}") if not path.name.startswith(("_", "test_")))
        by_name = {path.stem: path for path in files}
        for name in PREFERRED:
            if name in by_name:
                return by_name[name]
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(path.name for path in files)
            raise CannotLoad(f"{folder} has {names}: call one of them model{suffix}, or name it in FAIRWAY_PROGRAM.")
    raise CannotLoad(f"{folder} has no program: a Python file (model.py) or an R file (model.R, model.rds).")


def _import_file(file: Path, folder: Path) -> ModuleType:
    _extend_path(folder)
    name = file.stem if file.stem not in sys.modules else f"{file.stem}_{abs(hash(str(file)))}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise CannotLoad(f"{file} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with failures.as_cannot_load(file.name), _arguments(file):
        spec.loader.exec_module(module)
    return module


def _import_module(dotted: str, folder: Path) -> ModuleType:
    _extend_path(folder)
    with failures.as_cannot_load(f"The module {dotted}"):
        return importlib.import_module(dotted)


def _extend_path(folder: Path) -> None:
    """The program's own folder first; KServe's interface last, behind the real package."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if str(SITE) not in sys.path:
        sys.path.append(str(SITE))


class _arguments:
    """Programs read sys.argv as they are imported; they see their own name and not our flags."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._kept, sys.argv = sys.argv, [str(self._file)]

    def __exit__(self, *_: object) -> None:
        sys.argv = self._kept


def _named(module: ModuleType, name: str) -> Any:
    if not hasattr(module, name):
        raise CannotLoad(f"{module.__name__} has no {name}.")
    return getattr(module, name)


def _only(module: ModuleType) -> Any:
    """The one thing of the module that can be served: classes before applications before functions."""
    file = Path(module.__file__ or module.__name__).name
    searches: tuple[Callable[[ModuleType], Iterator[tuple[str, Any]]], ...] = (_classes, _applications, _functions)
    for search in searches:
        found = dict(search(module))
        if len(found) > 1:
            names = ", ".join(found)
            raise CannotLoad(f"{file} has {names}: name one in FAIRWAY_PROGRAM, as {file}:NAME.")
        if found:
            return next(iter(found.values()))
    raise CannotLoad(
        f"{file} has nothing to serve: a class with predict (or chat, generate), a function predict, or an"
        " ASGI application. A script that opens a port of its own is served as a container, with a command."
    )


def _classes(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Of several, those that no other derives from."""
    own = [
        thing
        for name, thing in vars(module).items()
        if inspect.isclass(thing)
        and thing.__module__ == module.__name__
        and not name.startswith("_")
        and (is_kserve(thing) or any(callable(getattr(thing, step, None)) for step in STEPS))
    ]
    for thing in own:
        if not any(other is not thing and issubclass(other, thing) for other in own):
            yield thing.__name__, thing


def _applications(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, thing in vars(module).items():
        if not name.startswith("_") and is_asgi(thing):
            yield name, thing


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in STEPS:
        thing = getattr(module, name, None)
        if inspect.isfunction(thing):
            yield name, thing
            return
