"""The interface: an expression and the types of its variables in, a program out.

>>> program = compile_expression("self.size <= 3 && self.name.startsWith('a')", {"self": DYN})
>>> program.evaluate({"self": {"size": 2, "name": "anna"}}).value
True
>>> compile_expression("self.size <= limit", {"self": DYN})
Traceback (most recent call last):
fairway.cluster.api.cel.failures.CompileError: ERROR: <input>:1:14: undeclared reference to 'limit' (in container '')
 | self.size <= limit
 | .............^
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.cluster.api.cel import building, checker, parser
from fairway.cluster.api.cel.costs import estimating
from fairway.cluster.api.cel.costs.extents import Extent
from fairway.cluster.api.cel.failures import CompileError, EvaluationError, Issue, NoSuchOverload, OutOfBudget
from fairway.cluster.api.cel.frames import Frame, Step
from fairway.cluster.api.cel.types import DYN, Type

PER_CALL = 1_000_000
"""What one evaluation may cost: about a tenth of a second upstream."""
PER_OBJECT = 10_000_000
"""What all rules of one object, or all expressions of one policy, may cost together."""


@dataclass(frozen=True, slots=True)
class Result:
    value: Any
    cost: int


@dataclass(frozen=True, slots=True)
class Program:
    source: str
    type: Type
    used: frozenset[str]
    """The variables that it names."""
    _slots: tuple[str, ...]
    _size: int
    _run: Step
    worst: int = 0
    """What it may cost at most, where whoever compiled it said how large values may be."""

    def evaluate(self, variables: Mapping[str, Any], limit: int = PER_CALL) -> Result:
        """The value and what it cost. Raises EvaluationError, and OutOfBudget beyond the limit."""
        frame = Frame(limit, [variables.get(name) for name in self._slots] + [None] * (self._size - len(self._slots)))
        try:
            value = self._run(frame)
        except EvaluationError as problem:
            problem.cost = limit - frame.left
            raise
        except RecursionError:
            raise OutOfBudget from None
        except (TypeError, AttributeError, IndexError, KeyError, OverflowError, ValueError) as problem:
            # Values of another type than was declared, as the checker could not see.
            del problem
            unfit = NoSuchOverload()
            unfit.cost = limit - frame.left
            raise unfit from None
        if frame.left < 0:
            raise OutOfBudget
        return Result(value, limit - frame.left)


def compile_expression(
    source: str,
    variables: Mapping[str, Type],
    objects: Mapping[str, Type] | None = None,
    *,
    extent: Extent | None = None,
) -> Program:
    """Raises CompileError, whose text is upstream's. `extent` says how large the variables may be, all of them."""
    try:
        tree = parser.parse(source)
        found = checker.checked(source, tree, checker.Environment(variables, objects or {}))
        slots = tuple(sorted(found.used))
        run, size = building.built(found.root, slots)
        worst = estimating.estimate(found.root, extent) if extent else 0
    except RecursionError:
        raise CompileError("", [Issue(0, "expression recursion limit exceeded")]) from None
    return Program(source, found.type, found.used, slots, size, run, worst)


__all__ = ["DYN", "CompileError", "EvaluationError", "OutOfBudget", "Program", "Result", "compile_expression"]
