"""Places in a run: scope paths such as `for-loop-1[3]/train`, read, checked against the pipeline, and compared.

A path may leave out which iteration of a loop it means, and means all of them then. Whoever names a step by hand (to
run it again, to change its inputs) does so by these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.pipelines import ir
from fairway.pipelines.ir.model import Component, Dag, Task

_PART = re.compile(r"(?P<name>[^/]+?)(?:\[(?P<number>\d{1,9})\])?")


class UnknownPlace(Exception):
    """There is no such step. The text says which there are."""


@dataclass(frozen=True, slots=True)
class Part:
    """One step of the way: a task, or one iteration of a loop."""

    name: str
    number: int | None = None

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}[{self.number}]"

    def covers(self, other: Part) -> bool:
        return self.name == other.name and self.number in (None, other.number)


@dataclass(frozen=True, slots=True)
class Place:
    """A task that the pipeline has, wherever in it."""

    parts: tuple[Part, ...]
    task: Task
    component: Component

    def __str__(self) -> str:
        return "/".join(map(str, self.parts))


def parts(path: str) -> tuple[Part, ...]:
    """The parts of a path that is spelled as one. Raises UnknownPlace."""
    return tuple(_part(written, path) for written in path.split("/"))


def find(pipeline: ir.Pipeline, path: str) -> Place:
    """What the path leads to. Raises UnknownPlace."""
    way, component, found = parts(path), pipeline.entry, None
    for depth, part in enumerate(way):
        tasks: Mapping[str, Task] = component.body.tasks if isinstance(component.body, Dag) else {}
        found = tasks.get(part.name)
        if found is None:
            scope = "/".join(map(str, way[:depth])) or "the pipeline"
            there = f"in {scope} there are {', '.join(sorted(tasks))}" if tasks else f"{scope} has no steps inside"
            raise UnknownPlace(f"there is no step {path!r}: {there}")
        if part.number is not None and found.loop is None:
            raise UnknownPlace(f"there is no step {path!r}: {part.name} is no loop")
        component = pipeline.components[found.component]
    assert found is not None
    return Place(way, found, component)


class Overrides:
    """What is to be different in a run from what its pipeline says: by place, parameters of the task there.

    A task that is named, if only to change nothing, and what is inside of it, is not taken from the cache.
    """

    def __init__(self, given: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        found = [(parts(path), values) for path, values in (given or {}).items()]
        # What is said of all iterations counts less than what is said of one.
        self._given = sorted(found, key=lambda each: sum(part.number is not None for part in each[0]))

    def __bool__(self) -> bool:
        return bool(self._given)

    def inputs(self, path: str) -> dict[str, Any]:
        """The parameters that are changed for the task at that path."""
        way, result = parts(path), dict[str, Any]()
        for place, values in self._given:
            if len(place) == len(way) and _covers(place, way):
                result |= values
        return result

    def names(self, path: str) -> bool:
        """Whether the task at that path was named, or something around it."""
        way = parts(path)
        return any(_covers(place, way) for place, _ in self._given)


def _covers(place: tuple[Part, ...], way: tuple[Part, ...]) -> bool:
    return len(place) <= len(way) and all(mine.covers(other) for mine, other in zip(place, way, strict=False))


def _part(written: str, path: str) -> Part:
    match = _PART.fullmatch(written)
    if match is None:
        raise UnknownPlace(f"{path!r} is not the path of a step, such as train or for-loop-1[3]/train")
    return Part(match["name"], int(match["number"]) if match["number"] else None)
