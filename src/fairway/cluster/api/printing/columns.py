"""What a column is, and the few kinds of cells that most columns are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fairway.cluster.api.printing import durations
from fairway.kernel.objects.kinds import Object

Cell = Callable[[Object, float], Any]
"""(object, now) to what is shown."""

NONE = "<none>"
WIDE = 1
"""The priority of columns that only `-o wide` shows."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def value(obj: Any, path: str) -> Any:
    """What is at a dotted path, or None."""
    for part in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(part)
    return obj


def at(*paths: str, default: str = "") -> Cell:
    """The first of the paths that has something."""
    return lambda obj, now: next((str(found) for path in paths if (found := value(obj, path))), default)


def number(path: str, default: int = 0) -> Cell:
    def cell(obj: Object, now: float) -> int:
        found = value(obj, path)
        return default if found is None else int(found)

    return cell


def size(*paths: str) -> Cell:
    """How many entries the maps or lists have together."""
    return lambda obj, now: sum(len(value(obj, path) or ()) for path in paths)


def age(*paths: str) -> Cell:
    """How long ago the first of the paths that is set was."""
    return lambda obj, now: durations.since(next((found for path in paths if (found := value(obj, path))), None), now)


def pairs(path: str) -> Cell:
    """A map such as a selector, as a=b,c=d."""

    def cell(obj: Object, now: float) -> str:
        found = value(obj, path) or {}
        return ",".join(f"{name}={found[name]}" for name in sorted(found)) or NONE

    return cell


def joined(path: str, default: str = NONE) -> Cell:
    return lambda obj, now: ",".join(map(str, value(obj, path) or ())) or default


NAME = Column("Name", at("metadata.name"), format="name", description="Unique within a namespace.")
AGE = Column("Age", age("metadata.creationTimestamp"), description="How long ago the object was created.")
