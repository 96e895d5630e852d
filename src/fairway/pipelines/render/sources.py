"""Where each parameter of a task came from, in KFP 3.0's words (its IOType), for the records. Pure.

Kept for people and tools that read tasks: nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairway.pipelines.ir.model import Constant, FinalStatus, FromInput, FromRun, FromTask, ParameterSource
from fairway.pipelines.render.model import Instance, Type


def of_parameters(instance: Instance, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each parameter `{"type": ..., "task": who made it}`; the second only where a task did."""
    return {name: _source(instance, name) for name in names}


def _source(instance: Instance, name: str) -> dict[str, Any]:
    task = instance.task
    if task is None:  # the root is given what the run is given
        return {"type": "RUNTIME_VALUE_INPUT"}
    if task.loop is not None and task.loop.item == name:
        return {"type": "ITERATOR_INPUT" if task.loop.raw is None else "ITERATOR_INPUT_RAW"}
    given = task.parameters.get(name)
    return {"type": "COMPONENT_DEFAULT_INPUT"} if given is None else _given(instance, given)


def _given(instance: Instance, given: ParameterSource) -> dict[str, Any]:
    match given.origin:
        case FromInput() | FromRun():
            return {"type": "COMPONENT_INPUT"}
        case Constant():
            return {"type": "RUNTIME_VALUE_INPUT"}
        case FinalStatus(task):
            return {"type": "TASK_FINAL_STATUS_OUTPUT", "task": task}
        case FromTask(task, _):
            siblings = instance.parent.children if instance.parent else {}
            loops = task in siblings and siblings[task].type is Type.LOOP
            return {"type": "COLLECTED_INPUTS" if loops else "TASK_OUTPUT_INPUT", "task": task}
