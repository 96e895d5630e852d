"""What runs again when some steps of a run are chosen: those, and all that follows them. Decided on the pipeline alone.

What follows a step is what waits for it, at any distance: after the step in its DAG, and after each scope around it,
with everything inside. Iterations of a loop do not wait for each other, so that the others stay. A step that takes a
parameter of the run which is changed is chosen by that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairway.pipelines import ir
from fairway.pipelines.ir.model import Component, Dag, FromInput
from fairway.pipelines.render.places import Part, Place, parts


@dataclass(slots=True)
class _Scope:
    """Of one DAG: the tasks that run again with all that is inside, and those of which only a part does."""

    whole: set[Part] = field(default_factory=set)
    inside: dict[Part, _Scope] = field(default_factory=dict)


class Again:
    """The paths that run again."""

    def __init__(self, pipeline: ir.Pipeline, chosen: Iterable[Place], changed: Iterable[str] = ()) -> None:
        """`changed` are parameters of the run."""
        self._pipeline, self._root = pipeline, _Scope()
        for place in chosen:
            self._choose(place)
        changed = frozenset(changed)
        for name in _taking(pipeline.entry, changed):
            self._root.whole.add(Part(name))
            self._root.whole |= _after(pipeline.entry, name)

    def __contains__(self, path: str) -> bool:
        scopes = [self._root]
        for part in parts(path):
            if any(_has(scope.whole, part) for scope in scopes):
                return True
            scopes = [
                inner for scope in scopes for each in _general(part) if (inner := scope.inside.get(each)) is not None
            ]
        return False

    def __bool__(self) -> bool:
        return bool(self._root.whole or self._root.inside)

    def _choose(self, place: Place) -> None:
        scope, component = self._root, self._pipeline.entry
        for depth, part in enumerate(place.parts):
            scope.whole |= _after(component, part.name)
            assert isinstance(component.body, Dag)
            component = self._pipeline.components[component.body.tasks[part.name].component]
            if depth == len(place.parts) - 1:
                scope.whole.add(part)
            else:
                scope = scope.inside.setdefault(part, _Scope())


def _after(component: Component, name: str) -> set[Part]:
    """The tasks of a DAG that wait for this one, at any distance."""
    assert isinstance(component.body, Dag)
    found: set[Part] = set()
    to_look_at = [name]
    while to_look_at:
        for follower in component.body.followers.get(to_look_at.pop(), ()):
            if Part(follower) not in found:
                found.add(Part(follower))
                to_look_at.append(follower)
    return found


def _taking(component: Component, inputs: frozenset[str]) -> list[str]:
    """The tasks that are given one of these inputs of the scope around them."""
    if not isinstance(component.body, Dag):
        return []
    return [
        name
        for name, task in component.body.tasks.items()
        if any(
            isinstance(source, FromInput) and source.name in inputs
            for source in (*(each.origin for each in task.parameters.values()), *task.artifacts.values())
        )
    ]


def _has(whole: set[Part], part: Part) -> bool:
    return any(each in whole for each in _general(part))


def _general(part: Part) -> tuple[Part, ...]:
    """The names under which a part may have been meant: itself, and all iterations together."""
    return (part,) if part.number is None else (part, Part(part.name))
