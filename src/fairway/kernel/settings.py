"""Configuration: one documented dataclass for each room that needs one, read once.

Values come from a file, then the environment, then flags; later ones win. Each value remembers where it came
from, so that `fairway config show` can say it. Nothing else reads the environment. The settings of a feature have a
table of the file to themselves, which bears the feature's name, and so do their variables.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_origin, get_type_hints


class SettingsError(Exception):
    """A value cannot be used; the text names it, its source, and what would be right."""


@dataclass(frozen=True)
class Settings:
    """What every room's settings derive from."""


T = TypeVar("T", bound=Settings)


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """The settings in force and, for each field, where its value is from."""

    values: T
    sources: Mapping[str, str]


def load(
    kind: type[T],
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    table: str = "",
) -> Loaded[T]:
    """Read a settings dataclass: field `data_dir` is `data_dir` in the TOML file, FAIRWAY_DATA_DIR in the environment.

    With a table, field `cache_by` is `cache_by` under [pipelines], and FAIRWAY_PIPELINES_CACHE_BY. A flag that is None
    was not given. Raises SettingsError for unknown names in the file and for wrong values.
    """
    prefix = f"FAIRWAY_{table.upper()}_" if table else "FAIRWAY_"
    fields = get_type_hints(kind)
    values: dict[str, Any] = {}
    sources = dict.fromkeys(fields, "default")

    def take(name: str, value: Any, source: str) -> None:
        values[name] = _converted(name, fields[name], value, source)
        sources[name] = source

    for name, value in _part(file, table).items():
        if name not in fields:
            where = f"{file} [{table}]" if table else str(file)
            raise SettingsError(f"{where}: unknown setting {name!r}; known are {', '.join(sorted(fields))}")
        take(name, value, str(file))
    for name in fields:
        variable = prefix + name.upper()
        if environment and environment.get(variable):
            take(name, environment[variable], variable)
        if flags and flags.get(name) is not None:
            take(name, flags[name], f"--{name.replace('_', '-')}")
    return Loaded(kind(**values), sources)


def tables(file: Path | None) -> list[str]:
    """The names of the tables in the file."""
    return [name for name, value in _from_file(file).items() if isinstance(value, dict)]


def _part(file: Path | None, table: str) -> Mapping[str, Any]:
    """One table of the file, or what stands outside all tables."""
    content = _from_file(file)
    if not table:
        return {name: value for name, value in content.items() if not isinstance(value, dict)}
    part = content.get(table, {})
    if not isinstance(part, dict):
        raise SettingsError(f"{file}: {table} is a table: write [{table}], and its settings below")
    return part


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None or not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text())
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise SettingsError(f"cannot read {file}: {problem}") from problem


_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _converted(name: str, wanted: Any, value: Any, source: str) -> Any:
    try:
        if wanted is bool:
            return value if isinstance(value, bool) else _WORDS[str(value).lower()]
        if wanted in (int, float):
            return wanted(value)
        if wanted is Path:
            return Path(value).expanduser()
        if get_origin(wanted) is tuple:
            return tuple(value) if isinstance(value, (list, tuple)) else tuple(filter(None, str(value).split(",")))
    except (KeyError, ValueError, TypeError) as problem:
        raise SettingsError(f"{source}: {name} must be of type {wanted.__name__}, not {value!r}") from problem
    return str(value)
