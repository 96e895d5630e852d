"""The parameters of a new run, checked against what the pipeline declares: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kernel.objects import errors
from fairway.pipelines.ir.model import MISSING, Parameter, Pipeline
from fairway.pipelines.ir.values import WrongType, fitted, plain


def checked(pipeline: Pipeline, given: Any, *, partly: bool = False) -> dict[str, Any]:
    """What the client gave, with whole numbers plain. Raises BadRequest; defaults are the engine's to add.

    With `partly` the rest is given later, and nothing is missed yet.
    """
    if not isinstance(given, Mapping):
        raise errors.BadRequest("runtime_config.parameters must be an object")
    declared = pipeline.entry.input_parameters
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        has = f"it has {', '.join(sorted(declared))}" if declared else "it has none"
        raise errors.BadRequest(f"the pipeline has no parameter {', '.join(unknown)}; {has}")
    values = {name: plain(value) for name, value in given.items()}
    missing = [name for name, parameter in declared.items() if _required(parameter) and values.get(name) is None]
    if missing and not partly:
        raise errors.BadRequest(f"the pipeline needs a value for {', '.join(sorted(missing))}")
    artifacts = [name for name, slot in pipeline.entry.input_artifacts.items() if not slot.optional]
    if artifacts:
        raise errors.BadRequest(
            f"the pipeline takes artifacts as input ({', '.join(sorted(artifacts))}), and a run can only be given "
            "parameters; import them in a step with dsl.importer"
        )
    for name, value in values.items():
        _check(name, declared[name], value)
    return values


def _required(parameter: Parameter) -> bool:
    return parameter.default is MISSING and not parameter.optional


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
