"""Scopes: tasks with children of their own. How a DAG or a loop opens, goes on, and is over.

A scope depends on nothing but its inputs and the outcomes of its children, so that it follows again from the records
of its leaves.
"""

from __future__ import annotations

import json
from typing import Any

from fairway.pipelines.ir.model import Component, Container, Dag, Importer, Loop, Task
from fairway.pipelines.ir.values import WrongType, fitted, plain, text
from fairway.pipelines.render import outputs
from fairway.pipelines.render.board import Board
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, State, Type, Values


def is_scope(instance: Instance) -> bool:
    return isinstance(instance.component.body, Dag) or _loop(instance) is not None


def begin(board: Board, instance: Instance) -> None:
    """The scope runs: its first children may begin. Raises InputError where a loop has no list to go over."""
    board.enter(instance, State.RUNNING)
    if (loop := _loop(instance)) is not None:
        instance.items = _items(instance, loop)
        instance.iterations = instance.open_children = len(instance.items)
        limit = loop.parallel or len(instance.items)
        for _ in range(min(limit, len(instance.items))):
            _next_iteration(board, instance)
    else:
        _open_dag(board, instance, instance.component)
    if not instance.open_children:
        _close_scope(board, instance)


def close(board: Board, instance: Instance) -> None:
    """An instance has ended: its followers may begin, its scope may be over."""
    scope = instance.parent
    if scope is None:
        return
    if instance.failure and not scope.failure:
        scope.failure = instance.failure
    if instance.whole:
        _tell_followers(board, instance, scope)
    elif scope.next_item < len(scope.items) and not board.canceling:
        _next_iteration(board, scope)
    elif scope.next_item < len(scope.items):
        scope.open_children -= len(scope.items) - scope.next_item
        scope.items = scope.items[: scope.next_item]
    scope.open_children -= 1
    if not scope.open_children:
        _close_scope(board, scope)


def _loop(instance: Instance) -> Loop | None:
    """The loop that the instance is as a whole; None of its iterations and of everything else."""
    return instance.task.loop if instance.task is not None and instance.whole else None


def _open_dag(board: Board, scope: Instance, component: Component) -> None:
    assert isinstance(component.body, Dag)
    for name, task in component.body.tasks.items():
        child_component = board.pipeline.components[task.component]
        path = f"{scope.path}/{name}" if scope.path else name
        child = board.place(child_component, task, scope, path, name, _type(task, child_component))
        child.waiting_for = len(task.needs)
        scope.children[name] = child
    scope.open_children = len(scope.children)
    board.to_begin.extend(child for child in scope.children.values() if not child.waiting_for)


def _items(instance: Instance, loop: Loop) -> list[Any]:
    if loop.artifacts:
        return list(instance.inputs.artifacts.get(loop.artifacts, ()))
    if loop.raw is not None:
        return list(loop.raw)
    value = instance.inputs.parameters.get(loop.parameter)
    if isinstance(value, str):
        value = _from_json(value)
    if not isinstance(value, list):
        raise InputError(f"the loop goes over {loop.parameter!r}, which is {text(value)} and not a list")
    return value


def _next_iteration(board: Board, loop: Instance) -> None:
    """Open the next item of a loop. Its inputs are the loop's, and the item."""
    assert loop.task is not None and loop.task.loop is not None
    number, name = loop.next_item, loop.task.loop.item
    loop.next_item += 1
    item = loop.items[number]
    kind = Type.DAG if isinstance(loop.component.body, Dag) else Type.STEP
    child = board.place(loop.component, loop.task, loop, f"{loop.path}[{number}]", loop.name, kind)
    child.iteration = number
    child.inputs = Values(dict(loop.inputs.parameters), dict(loop.inputs.artifacts))
    loop.children[str(number)] = child
    if loop.task.loop.artifacts:
        child.inputs.artifacts[name] = (item,)
    elif name in loop.component.input_parameters:
        try:
            child.inputs.parameters[name] = fitted(item, loop.component.input_parameters[name].type)
        except WrongType as wrong:
            board.end(child, State.FAILED, f"item {number} of the loop: {wrong}", code=3)
            return
    board.to_begin.append(child)


def _tell_followers(board: Board, instance: Instance, scope: Instance) -> None:
    assert isinstance(scope.component.body, Dag)
    for name in scope.component.body.followers.get(instance.name, ()):
        follower = scope.children[name]
        follower.waiting_for -= 1
        if follower.state is not State.WAITING:
            continue
        assert follower.task is not None
        if not instance.state.good and not follower.task.tolerant:
            reason = {State.FAILED: "failed", State.SKIPPED: "was skipped"}.get(instance.state, "was canceled")
            state = State.CANCELED if board.canceling else State.SKIPPED
            board.end(follower, state, f"not run, because {instance.display_name!r} {reason}")
        elif not follower.waiting_for:
            board.to_begin.append(follower)


def _close_scope(board: Board, scope: Instance) -> None:
    gather = outputs.of_loop if _loop(scope) is not None else outputs.of_scope
    scope.outputs = gather(board.pipeline, scope)
    if board.canceling:
        board.end(scope, State.CANCELED, "the run was terminated")
    elif scope.failure:
        board.end(scope, State.FAILED, scope.failure)
    else:
        board.end(scope, State.SUCCEEDED)


def _from_json(value: str) -> Any:
    """The items of a loop that came as text."""
    try:
        return plain(json.loads(value))
    except ValueError:
        return value


def _type(task: Task, component: Component) -> Type:
    if task.loop:
        return Type.LOOP
    if isinstance(component.body, Importer):
        return Type.IMPORTER
    if isinstance(component.body, Container):
        return Type.STEP
    if task.name.startswith("condition-branches-"):
        return Type.BRANCHES
    if task.condition:
        return Type.CONDITION
    return Type.EXIT_HANDLER if task.name.startswith("exit-handler-") else Type.DAG
