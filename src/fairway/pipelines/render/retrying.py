"""Trying again: when the next attempt of a task may begin, and what of a failed scope is done again.

A step is tried again as a whole. A pipeline inside a pipeline, or a loop, keeps what succeeded in it; what failed and
what follows from that (steps that were skipped, exit tasks that ran) is begun anew with fresh attempts. `scopes` opens
the scope with what is said here, as it would open it from the records after a crash.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from fairway.pipelines.ir.model import Dag, Retry
from fairway.pipelines.render.board import Board
from fairway.pipelines.render.model import Instance, Known, State, Values, Verdict

_LONGEST = 10 * 365 * 86400.0
"""Seconds of a back-off: powers soon have no number."""


def failed(board: Board, instance: Instance, message: str, code: int = 0) -> None:
    """The task is tried again, if it has a retry left, or has failed for good."""
    until = due(instance, board.now)
    if until is None:
        board.end(instance, State.FAILED, message, code=code)
        return
    board.wait(instance, until)
    board.enter(instance, State.PENDING, f"attempt {tried(instance)} failed: {message}")


def due(instance: Instance, now: float) -> float | None:
    """When a task that failed is tried again by its policy; None where it is not."""
    retry = instance.task.retry if instance.task else None
    if retry is None or (instance.is_scope and not _tried_as_a_whole(instance)):
        return None
    times = tried(instance)
    if times > retry.count:
        return None
    at = now + _backoff(retry, times)
    # A sensor looks for as long as its own timeout says.
    window = 0.0 if instance.options.sensor_every else retry.window
    return None if window and at > begun(instance, now) + window else at


def begun(instance: Instance, now: float) -> float:
    """When the present series of attempts began: the first that ran since the task was over, if it ever was.

    Waiting for a person, or for slots of a pool, does not count.
    """
    ran, told = 0.0, now
    for state, at in reversed(instance.history):
        if state.ended:
            break
        told, ran = at, at if state is State.RUNNING else ran
    return ran or told


def tried(instance: Instance) -> int:
    """How many attempts count."""
    return instance.attempts - instance.disruptions - instance.looks + instance.is_scope


def inside(scope: Instance) -> Iterator[Instance]:
    """Everything below a scope, outer before inner."""
    for child in scope.children.values():
        yield child
        yield from inside(child)


def again(scope: Instance) -> Iterator[Instance]:
    """What is done again below a scope: tasks that failed, and all that depends on them, succeeded or not."""
    failed = [name for name, child in scope.children.items() if child.state in (State.FAILED, State.CANCELED)]
    after = _after(scope, failed)
    for name in after:
        yield scope.children[name]
        yield from inside(scope.children[name])
    for name in failed:
        if name not in after:
            yield scope.children[name]
            yield from again(scope.children[name])


def forget(instance: Instance, now: float) -> None:
    """Make a task as if it had not been tried. The number of attempts stays: pods and folders are named by it."""
    instance.state, instance.message, instance.code = State.WAITING, "", 0
    instance.disruptions = instance.attempts - instance.looks
    instance.stopped = ""
    instance.retry_at = now if instance.attempts and not instance.is_scope else None
    instance.finished_at, instance.cached_from, instance.outputs = None, "", Values()
    instance.history.append((State.PENDING, now))
    instance.renewed = True


def remembered(instance: Instance) -> Known:
    """What the records say of a task, or will once they are written."""
    return Known(
        state=State.PENDING if instance.state is State.WAITING else instance.state,
        attempts=instance.attempts,
        disruptions=instance.disruptions,
        looks=instance.looks,
        slots=instance.slots,
        verdict=Verdict(True) if instance.approved else None,
        retry_at=instance.retry_at,
        pod=instance.pod,
        fingerprint=instance.fingerprint,
        cached_from=instance.cached_from,
        message=instance.message,
        code=instance.code,
        created_at=instance.created_at,
        started_at=instance.started_at,
        finished_at=instance.finished_at,
        history=tuple(instance.history),
        outputs=instance.outputs,
    )


def _backoff(retry: Retry, times: int) -> float:
    """Seconds before the next attempt, where so many have failed."""
    steps = math.log(max(retry.delay, 1e-9)) + (times - 1) * math.log(retry.factor)
    return retry.delay and (retry.delay * retry.factor ** (times - 1) if steps < math.log(_LONGEST) else _LONGEST)


def _tried_as_a_whole(scope: Instance) -> bool:
    """One iteration is part of its loop; a loop of a single step leaves it to its iterations."""
    return scope.whole and isinstance(scope.component.body, Dag)


def _after(scope: Instance, names: list[str]) -> dict[str, None]:
    """The tasks of a DAG that wait for these, at any distance, in an order that keeps."""
    found: dict[str, None] = {}
    if not isinstance(scope.component.body, Dag) or scope.loop is not None:
        return found  # iterations do not wait for each other
    to_look_at = list(names)
    while to_look_at:
        for name in scope.component.body.followers.get(to_look_at.pop(), ()):
            if name not in found:
                found[name] = None
                to_look_at.append(name)
    return found
