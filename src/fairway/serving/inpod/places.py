"""Where models are: from the flags' folder to each model's name, place and loader.

A folder is one model, or a repository: several folders, each with a model of its own. A model whose folder has only
folders with numbers for names has versions; the newest is served. It opens no file: `formats` and `programs` do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from fairway.serving.inpod import formats, programs
from fairway.serving.inpod.model import CannotLoad, Model, Program

Loader = Callable[[], tuple[Model | Program, str]]
"""Gives a model and its version, in a thread. Raises CannotLoad."""


@runtime_checkable
class Brings(Protocol):
    """What a program gave instead of a folder, where it also brings models by name that nobody has asked for before."""

    def bring(self, name: str) -> Loader: ...

    def take_back(self, name: str) -> None:
        """The model is not served any more. In a thread."""
        ...


VERSION = "1"
"""Of a model whose folder says nothing of versions."""


@dataclass(frozen=True)
class Places:
    """`format` empty: what the files are. `several` says that the folder is a repository even while it is empty."""

    folder: Path
    format: str = ""
    options: Mapping[str, str] | None = None
    several: bool = False

    def loader(self, name: str, format: str = "") -> Loader:
        """The loader of a model of that name. Raises CannotLoad where it could only be outside of the folder."""
        place = self.folder
        if self.is_repository():
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise CannotLoad(f"{name!r} is not the name of a model.")
            place = self.folder / name
        wanted, options = format or self.format, self.options or {}

        def load() -> tuple[Model | Program, str]:
            at, version = newest(place)
            if programs.takes(wanted, at, options):
                return programs.load(wanted, name, at, options), version
            return formats.load(wanted, name, at, options), version

        return load

    def is_repository(self) -> bool:
        return self.several or bool(self.names())

    def names(self) -> list[str]:
        """The models of a repository; none where the folder is a model itself."""
        if self.format in programs.FORMATS and not self.several:
            return []
        entries = _entries(self.folder)
        folders = sorted(entry.name for entry in entries if entry.is_dir())
        only_folders = len(folders) == len(entries) and not all(name.isdigit() for name in folders)
        if "model-store" in folders:
            return []  # TorchServe's own layout, which the loader has a word on
        return folders if self.several or only_folders else []


def newest(place: Path) -> tuple[Path, str]:
    """Where the files of a model are, and its version."""
    entries = _entries(place)
    if not entries or not all(entry.name.isdigit() and entry.is_dir() for entry in entries):
        return place, VERSION
    latest = max(entries, key=lambda entry: int(entry.name))
    return latest, latest.name


def _entries(folder: Path) -> list[Path]:
    """Of what is hidden (a volume's `..data`, a cache's marks) nothing is a model."""
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return []  # the loader says what is wrong
