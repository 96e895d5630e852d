"""Which file is the model. KServe's rule for its Python servers: one file with a wanted ending, no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fairway.serving.inpod.model import CannotLoad


def one(location: Path, suffixes: Sequence[str], *, advice: str) -> Path:
    """The location itself, or the only file in it that ends in one of these. `advice` says how to make one."""
    wanted = either(suffixes)
    if location.is_file():
        if location.suffix not in suffixes:
            raise CannotLoad(f"{location} is not a model file; its name must end in {wanted}.")
        return location
    found = ending_in(newest(location), suffixes)
    if not found:
        raise CannotLoad(f"{location} has no file that ends in {wanted}; {advice}")
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:5])
        raise CannotLoad(f"{location} has {len(found)} model files ({names}); keep one, or point storageUri at it.")
    return found[0]


def ending_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return [file for file in entries(folder) if file.suffix in suffixes and file.is_file()]


def newest(location: Path) -> Path:
    """The folder of the highest version, where a folder has nothing but versions: 1, 2, ... as Triton wants it."""
    versions = [entry for entry in entries(location) if entry.name.isdecimal() and entry.is_dir()]
    if not versions or any(file.is_file() and file.suffix != ".pbtxt" for file in entries(location)):
        return location
    return max(versions, key=lambda entry: int(entry.name))


def entries(folder: Path) -> list[Path]:
    """What is in the folder, by name; without what is hidden."""
    try:
        if not folder.is_dir():
            raise CannotLoad(f"{folder} does not exist; set storageUri to a model file or to the folder that holds it.")
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as failure:
        raise CannotLoad(f"{folder} cannot be read: {failure.strerror or failure}.") from failure


def either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
