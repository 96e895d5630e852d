"""One policy run on one request, with one set of parameters: which of its validations fail, and what it notes.

Variables are evaluated when an expression first names them, once; their cost counts for whoever named them first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fairway.cluster.api.admission.policies.compiling import Policy, Validation
from fairway.cluster.api.aside import AT_ONCE, Aside
from fairway.cluster.api.cel.program import PER_OBJECT, EvaluationError, OutOfBudget, Program
from fairway.cluster.api.request_expressions import OUT_OF_BUDGET, Budget, TooLong, Undecided, all_hold
from fairway.kernel.objects.kinds import Object

T = TypeVar("T")

_LONGEST_MESSAGE = 5 * 1024
_LONGEST_NOTE = 10 * 1024


@dataclass(frozen=True, slots=True)
class Denial:
    message: str
    reason: str = "Invalid"
    index: int = 0
    """Which of the validations said so."""


class Failed(Exception):
    """Something of the policy has no value; the text is upstream's."""


class Evaluation:
    """Raises Failed from every method, and TooLong unless they are called by `part`."""

    def __init__(self, policy: Policy, values: Mapping[str, Any], parameters: Object | None) -> None:
        if policy.problem:
            raise Failed(policy.problem)
        self._policy = policy
        self._budget = Budget(PER_OBJECT, AT_ONCE)
        self.values: dict[str, Any] = {**values, "params": parameters}
        self.values["variables"] = _Variables(dict(policy.variables), self.values, self._budget)

    async def part(self, aside: Aside, method: Callable[[Evaluation], T]) -> T:
        """What one of the methods below gives, done aside where it takes long."""
        before = self._budget.left
        try:
            return method(self)
        except TooLong:
            self._budget.left, self._budget.at_once = before, None
        return await aside.run(lambda: method(self))

    def concerned(self) -> bool:
        """Whether all match conditions hold."""
        try:
            return all_hold(self._policy.conditions, self.values, self._budget.at_once)
        except Undecided as problem:
            raise Failed(str(problem)) from None

    def value(self, program: Program) -> Any:
        try:
            return self._budget.run(program, self.values)
        except EvaluationError as problem:
            raise Failed(f"expression '{program.source}' resulted in error: {problem}") from None
        except OutOfBudget:
            raise Failed(OUT_OF_BUDGET) from None

    def denials(self) -> list[Denial]:
        """What the validations refuse. One that has no value refuses too, unless that is to be passed over."""
        found = []
        for index, validation in enumerate(self._policy.validations):
            try:
                if self.value(validation.program) is not True:
                    found.append(Denial(self._message(validation), validation.reason, index))
            except Failed as problem:
                if not self._policy.ignorable:
                    found.append(Denial(str(problem), index=index))
                if str(problem) == OUT_OF_BUDGET:
                    break
        return found

    def notes(self) -> dict[str, str]:
        """What is to be told in the audit record."""
        found = {}
        for key, program in self._policy.notes:
            value = self.value(program)
            text = value.strip() if isinstance(value, str) else ""
            if text:
                found[f"{self._policy.name}/{key}"] = text.encode()[:_LONGEST_NOTE].decode(errors="ignore")
        return found

    def _message(self, validation: Validation) -> str:
        text = ""
        if validation.message_program is not None:
            try:
                said = self._budget.run(validation.message_program, self.values)
            except EvaluationError:
                said = ""
            except OutOfBudget:
                raise Failed(f"failed messageExpression: {OUT_OF_BUDGET}") from None
            text = said.strip() if isinstance(said, str) else ""
            if "\n" in text or len(text.encode()) > _LONGEST_MESSAGE:
                text = ""
        return text or validation.message or f"failed expression: {validation.program.source.strip()}"


class _Variables(dict[str, Any]):
    """What has been evaluated so far; the rest comes when it is asked for."""

    def __init__(self, programs: dict[str, Program], values: Mapping[str, Any], budget: Budget) -> None:
        super().__init__()
        self._programs, self._values, self._budget = programs, values, budget

    def __missing__(self, name: str) -> Any:
        try:
            self[name] = self._budget.run(self._programs[name], self._values)
        except EvaluationError as problem:
            raise EvaluationError(f'composited variable "{name}" fails to evaluate: {problem}') from None
        return self[name]
