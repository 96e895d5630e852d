"""Sensors: steps that look at something outside until it is there.

A look is an attempt. While its first boolean output is false the step is not over: nothing of it runs, it holds no
slots, and it looks again later. Looks use up no retry. A sensor is never taken from the cache, which would make it see
what was there some other day.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fairway.pipelines.ir.model import ParameterType
from fairway.pipelines.render import retrying
from fairway.pipelines.render.board import Board
from fairway.pipelines.render.model import Instance, Outcome, State


def is_sensor(instance: Instance) -> bool:
    return instance.options.sensor_every > 0


def sees_nothing(instance: Instance, outcome: Outcome) -> bool:
    """Whether this attempt was a look that said "not yet"."""
    if not is_sensor(instance) or not outcome.succeeded:
        return False
    declared = instance.component.output_parameters
    first = next(name for name, output in declared.items() if output.type is ParameterType.BOOLEAN)
    return outcome.parameters.get(first) is False


def look_again(board: Board, instance: Instance) -> None:
    """Not yet: the next look is later, unless it is too late for one."""
    instance.looks += 1
    if board.stopping:
        board.end(instance, State.CANCELED, board.stopping)
    elif instance.stopped or board.now >= _deadline(board, instance):
        board.end(instance, State.FAILED, _too_late(instance), code=4)
    else:
        until = board.now + instance.options.sensor_every
        board.wait(instance, until)
        at = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        board.enter(instance, State.PENDING, f"not yet, looks again at {at}")
        board.record(instance)


def watch(board: Board, instance: Instance) -> None:
    """The first look runs: from now on the time counts."""
    if is_sensor(instance) and instance.options.sensor_timeout and instance.started_at is not None:
        board.limit(instance, _deadline(board, instance))


def out_of_time(board: Board, instance: Instance) -> None:
    """The timeout has come. A look that runs is ended; one that a pause holds back may still look once."""
    if instance.id in board.live:
        if not instance.stopped:
            instance.stopped = _too_late(instance)
            board.decisions.stops.append(instance)
    elif instance.state is State.PENDING and not board.paused and board.now >= _deadline(board, instance):
        board.end(instance, State.FAILED, _too_late(instance), code=4)


def _deadline(board: Board, instance: Instance) -> float:
    timeout = instance.options.sensor_timeout
    return retrying.begun(instance, board.now) + timeout if timeout else float("inf")


def _too_late(instance: Instance) -> str:
    times = f"{instance.looks} look{'' if instance.looks == 1 else 's'}"
    return f"the sensor saw nothing in {instance.options.sensor_timeout:g} s ({times} said not yet)"
