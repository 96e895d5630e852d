"""Expressions about a request, in CEL: what they may name, how they are compiled, and what they may cost.

Match conditions of webhooks and everything in admission policies are such expressions. They share a budget for each
request, which `Budget` keeps. What `object` holds has no type: it may be of any kind. What the names are worth for one
request is in `admission.expressions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.cluster.api.cel import types
from fairway.cluster.api.cel.program import PER_CALL, CompileError, EvaluationError, OutOfBudget, Program
from fairway.cluster.api.cel.program import compile_expression as compile_
from fairway.cluster.api.cel.schema_types import type_of
from fairway.cluster.api.cel.types import Type
from fairway.kernel.objects.kinds import Object

PER_CONDITIONS = 2_500_000
"""What all match conditions of one webhook or policy may cost for one request."""
_BEGUN = 20
"""What it costs to begin an expression; upstream's prices begin inside of it."""
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"

_STRING: Object = {"type": "string"}
_STRINGS: Object = {"type": "array", "items": _STRING}
_TIME: Object = {"type": "string", "format": "date-time"}
_TEXTS: Object = {"type": "object", "additionalProperties": _STRING}


def _object(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


def _type(schema: Object, name: str) -> Type:
    found = type_of(schema, name=name)
    if found is None:
        raise ValueError(f"no type for {name}")
    return found


def _request_type() -> Type:
    kind = _object(group=_STRING, version=_STRING, kind=_STRING)
    resource = _object(group=_STRING, version=_STRING, resource=_STRING)
    user = _object(
        username=_STRING, uid=_STRING, groups=_STRINGS, extra={"type": "object", "additionalProperties": _STRINGS}
    )
    schema = _object(
        kind=kind,
        resource=resource,
        subResource=_STRING,
        requestKind=kind,
        requestResource=resource,
        requestSubResource=_STRING,
        name=_STRING,
        namespace=_STRING,
        operation=_STRING,
        userInfo=user,
        dryRun={"type": "boolean"},
        options={"x-kubernetes-int-or-string": True},  # which has no type either
    )
    return _type(schema, "kubernetes.AdmissionRequest")


def _namespace_type() -> Type:
    metadata = _object(
        name=_STRING,
        generateName=_STRING,
        namespace=_STRING,
        labels=_TEXTS,
        annotations=_TEXTS,
        uid=_STRING,
        creationTimestamp=_TIME,
        deletionGracePeriodSeconds={"type": "integer"},
        deletionTimestamp=_TIME,
        generation={"type": "integer"},
        resourceVersion=_STRING,
        finalizers=_STRINGS,
    )
    condition = _object(status=_STRING, type=_STRING, lastTransitionTime=_TIME, message=_STRING, reason=_STRING)
    status = _object(conditions={"type": "array", "items": condition}, phase=_STRING)
    return _type(_object(metadata=metadata, spec=_object(finalizers=_STRINGS), status=status), "kubernetes.Namespace")


CONDITION_VARIABLES: Mapping[str, Type] = {
    "object": types.DYN,
    "oldObject": types.DYN,
    "request": _request_type(),
    "authorizer": types.opaque("Authorizer"),
    "authorizer.requestResource": types.opaque("ResourceCheck"),
}
"""What a match condition may name."""
POLICY_VARIABLES: Mapping[str, Type] = {**CONDITION_VARIABLES, "namespaceObject": _namespace_type()}
"""What a policy may name, beside its parameters and variables."""


class BadExpression(Exception):
    """It does not compile, or not to what is expected; the text is upstream's."""


def compiled(
    text: str, variables: Mapping[str, Type], *wanted: str, objects: Mapping[str, Type] | None = None
) -> Program:
    """Raises BadExpression. `wanted` are the types it may have, none for any; `objects` those that it may make."""
    try:
        program = compile_(text, variables, objects)
    except CompileError as problem:
        raise BadExpression(f"compilation failed: {problem}") from None
    if wanted and program.type.kind not in wanted:
        one_of = wanted[0] if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
        raise BadExpression(f"must evaluate to {one_of} but got {program.type}")
    return program


class TooLong(Exception):
    """It takes longer than may be spent on the event loop: it is to be done once more, `aside`."""


@dataclass(slots=True)
class Budget:
    left: int
    at_once: int | None = None
    """What may be spent where everybody waits; None where nobody does."""

    def run(self, program: Program, variables: Mapping[str, Any]) -> Any:
        """Raises EvaluationError, OutOfBudget once it is spent, and TooLong."""
        if self.left <= 0:
            raise OutOfBudget
        limit = min(PER_CALL, self.left)
        if self.at_once is not None and self.at_once < limit:
            return self._quickly(program, variables, self.at_once)
        return self._within(program, variables, limit)

    def _quickly(self, program: Program, variables: Mapping[str, Any], limit: int) -> Any:
        try:
            return self._within(program, variables, max(limit, 0))
        except OutOfBudget:
            raise TooLong from None

    def _within(self, program: Program, variables: Mapping[str, Any], limit: int) -> Any:
        try:
            result = program.evaluate(variables, limit)
        except EvaluationError as problem:
            self._pay(problem.cost)
            raise
        self._pay(result.cost)
        return result.value

    def _pay(self, cost: int) -> None:
        self.left -= cost + _BEGUN
        if self.at_once is not None:
            self.at_once -= cost + _BEGUN


class Undecided(Exception):
    """Conditions that have no value, where none of them is false either."""


def all_hold(conditions: Mapping[str, Program], variables: Mapping[str, Any], at_once: int | None = None) -> bool:
    """Whether all conditions are true. One that is false decides, though others have no value.

    Raises Undecided, and TooLong beyond what may be spent `at_once`.
    """
    budget = Budget(PER_CONDITIONS, at_once)
    problems: list[str] = []
    for program in conditions.values():
        try:
            if budget.run(program, variables) is not True:
                return False
        except EvaluationError as problem:
            problems.append(f"expression '{program.source}' resulted in error: {problem}")
        except OutOfBudget:
            raise Undecided(OUT_OF_BUDGET) from None
    if problems:
        raise Undecided(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return True
