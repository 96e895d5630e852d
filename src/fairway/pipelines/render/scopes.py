"""Scopes: tasks with children of their own. How a DAG or a loop opens, goes on, and is over.

A scope depends on nothing but its inputs and the outcomes of its children, so that it follows again from the records
of its leaves.
"""

from __future__ import annotations

from fairway.pipelines.ir.model import Component, Container, Dag, Importer, Task, VolumeClaim
from fairway.pipelines.render import loops, outputs, retrying
from fairway.pipelines.render.board import Board
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, State, Type

MOST_TASKS = 100_000
"""Of one run, with all iterations. Each is kept in memory while the run is not over."""


def begin(board: Board, instance: Instance) -> None:
    """The scope runs: its first children may begin. Raises InputError where a loop has no list to go over.

    One that waits for its next try is opened as well: what is inside says again that it failed.
    """
    known = board.known.get(instance.id)
    if known is not None:
        instance.attempts, instance.disruptions = known.attempts, known.disruptions
    if known is None or known.retry_at is None:
        board.enter(instance, State.RUNNING)
    _open(board, instance, new=True)


def open_again(board: Board, scope: Instance) -> None:
    """The next try. What is kept of the last one, and what is not, is known as if it came from the records."""
    scope.attempts += 1
    board.known.pop(scope.id, None)
    for instance in retrying.again(scope):
        retrying.forget(instance, board.now)
        board.record(instance)
    for instance in retrying.inside(scope):
        board.known[instance.id] = retrying.remembered(instance)
    given, extras = scope.inputs, scope.extras
    scope.close()
    scope.inputs, scope.extras = given, extras
    board.enter(scope, State.RUNNING)
    _open(board, scope)


def close(board: Board, instance: Instance) -> None:
    """An instance has ended: its followers may begin, its scope may be over."""
    scope = instance.parent
    if scope is None:
        return
    if instance.failure and not scope.failure:
        scope.failure = instance.failure
    if instance.whole:
        _tell_followers(board, instance, scope)
    elif scope.next_item < len(scope.items) and not board.stopping:
        _next_iteration(board, scope)
    elif scope.next_item < len(scope.items):
        scope.open_children -= len(scope.items) - scope.next_item
        scope.items = scope.items[: scope.next_item]
    scope.open_children -= 1
    if not scope.open_children:
        _close_scope(board, scope)


def _open(board: Board, scope: Instance, *, new: bool = False) -> None:
    if scope.loop is not None:
        scope.items = loops.items(scope, scope.loop)
        _check_room(board, len(scope.items) if new else 0)
        scope.iterations = scope.open_children = len(scope.items)
        limit = scope.loop.parallel or len(scope.items)
        for _ in range(min(limit, len(scope.items))):
            _next_iteration(board, scope)
    else:
        _open_dag(board, scope, scope.component, new=new)
    if not scope.open_children:
        _close_scope(board, scope)


def _open_dag(board: Board, scope: Instance, component: Component, *, new: bool) -> None:
    assert isinstance(component.body, Dag)
    _check_room(board, len(component.body.tasks) if new else 0)
    for name, task in component.body.tasks.items():
        child_component = board.pipeline.components[task.component]
        path = f"{scope.path}/{name}" if scope.path else name
        child = board.place(child_component, task, scope, path, name, _type(task, child_component))
        child.waiting_for = len(task.needs)
        scope.children[name] = child
    scope.open_children = len(scope.children)
    board.to_begin.extend(child for child in scope.children.values() if not child.waiting_for)


def _check_room(board: Board, more: int) -> None:
    """A few lines of a pipeline can ask for more tasks than any machine holds: loops and pipelines multiply inside each
    other."""
    if len(board.instances) + more > MOST_TASKS:
        raise InputError(
            f"with {more:,} more tasks the run would have more than {MOST_TASKS:,}: let one step do more, or start "
            "several runs"
        )


def _next_iteration(board: Board, loop: Instance) -> None:
    """Open the next item of a loop."""
    number = loop.next_item
    loop.next_item += 1
    kind = Type.DAG if isinstance(loop.component.body, Dag) else Type.STEP
    child = board.place(loop.component, loop.task, loop, f"{loop.path}[{number}]", loop.name, kind)
    child.iteration = number
    loop.children[str(number)] = child
    try:
        child.inputs = loops.given(loop, number)
    except InputError as wrong:
        board.end(child, State.FAILED, str(wrong), code=3)
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
            state = State.CANCELED if board.stopping else State.SKIPPED
            board.end(follower, state, f"not run, because {instance.display_name!r} {reason}")
        elif not follower.waiting_for:
            board.to_begin.append(follower)


def _close_scope(board: Board, scope: Instance) -> None:
    gather = outputs.of_loop if scope.loop is not None else outputs.of_scope
    scope.outputs = gather(board.pipeline, scope)
    known = board.known.get(scope.id)
    if board.stopping and board.overdue and scope.parent is None:
        scope.failure = board.stopping
        board.end(scope, State.FAILED, board.stopping, code=4)
    elif board.stopping:
        board.end(scope, State.CANCELED, board.stopping)
    elif not scope.failure:
        board.end(scope, State.SUCCEEDED)
    elif known is not None and known.retry_at is not None:
        board.wait(scope, known.retry_at)
    else:
        retrying.failed(board, scope, scope.failure)


def _type(task: Task, component: Component) -> Type:
    if task.loop:
        return Type.LOOP
    if isinstance(component.body, Importer):
        return Type.IMPORTER
    if isinstance(component.body, Container | VolumeClaim):
        return Type.STEP
    if task.name.startswith("condition-branches-"):
        return Type.BRANCHES
    if task.condition:
        return Type.CONDITION
    return Type.EXIT_HANDLER if task.name.startswith("exit-handler-") else Type.DAG
