"""The parameters of a new run, checked against what the pipeline declares: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kernel.objects import errors
from fairway.pipelines.given import CannotBeGiven, references
from fairway.pipelines.ir.model import MISSING, ArtifactSlot, Parameter, Pipeline
from fairway.pipelines.ir.values import WrongType, fitted, plain


def checked(pipeline: Pipeline, given: Any, *, partly: bool = False) -> dict[str, Any]:
    """What the client gave, with whole numbers plain. Raises BadRequest; defaults are the engine's to add.

    With `partly` the rest is given later, and nothing is missed yet.
    """
    if not isinstance(given, Mapping):
        raise errors.BadRequest("runtime_config.parameters must be an object")
    declared, slots = pipeline.entry.input_parameters, pipeline.entry.input_artifacts
    unknown = sorted(given.keys() - declared.keys() - slots.keys())
    if unknown:
        names = sorted((*declared, *slots))
        has = f"it has {', '.join(names)}" if names else "it has none"
        raise errors.BadRequest(f"the pipeline has no parameter {', '.join(unknown)}; {has}")
    values = {name: plain(value) for name, value in given.items()}
    missing = [name for name, parameter in declared.items() if _required(parameter) and values.get(name) is None]
    missing += [name for name, slot in slots.items() if not slot.optional and values.get(name) is None]
    if missing and not partly:
        raise errors.BadRequest(f"the pipeline needs a value for {', '.join(sorted(missing))}")
    for name, value in values.items():
        if name in slots:
            _check_artifact(name, slots[name], value)
        else:
            _check(name, declared[name], value)
    return values


def _required(parameter: Parameter) -> bool:
    return parameter.default is MISSING and not parameter.optional


def _check_artifact(name: str, slot: ArtifactSlot, value: Any) -> None:
    if value is None:
        return
    try:
        references(name, slot, value)
    except CannotBeGiven as wrong:
        raise errors.BadRequest(str(wrong)) from wrong


def _check(name: str, parameter: Parameter, value: Any) -> None:
    if value is None:
        return
    try:
        fit = fitted(value, parameter.type)
    except WrongType as wrong:
        raise errors.BadRequest(f"the parameter {name}: {wrong}") from wrong
    if parameter.literals and fit not in parameter.literals:
        allowed = ", ".join(repr(literal) for literal in parameter.literals)
        raise errors.BadRequest(f"the parameter {name} must be one of {allowed}, not {fit!r}")
