"""The items of a loop, and what each iteration is given: the inputs of the loop, and its item."""

from __future__ import annotations

from typing import Any

from fairway.pipelines.ir.model import Loop
from fairway.pipelines.ir.values import WrongType, fitted, read_json, text
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, Values


def items(instance: Instance, loop: Loop) -> list[Any]:
    """Values or artifacts. A list may come as JSON text."""
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


def given(looping: Instance, number: int) -> Values:
    assert looping.task is not None and looping.task.loop is not None
    loop, item = looping.task.loop, looping.items[number]
    result = Values(dict(looping.inputs.parameters), dict(looping.inputs.artifacts))
    declared = looping.component.input_parameters.get(loop.item)
    if loop.artifacts:
        result.artifacts[loop.item] = (item,)
    elif declared is not None:
        try:
            result.parameters[loop.item] = fitted(item, declared.type)
        except WrongType as wrong:
            raise InputError(f"item {number} of the loop: {wrong}") from wrong
    return result


def _from_json(value: str) -> Any:
    try:
        return read_json(value)
    except ValueError:
        return value
